-- Attaches the buffer to the language server, runs what a test wants to see, and writes it down as JSON.
-- For Neovim 0.7, which Debian 12 has, and newer.
local PATIENCE = 10000 -- ms
-- A session that was late is left alone for 300 ms.
local AGAIN = 350

local editor = {}

-- Until `holds` gives something; that.
function editor.wait(holds)
  local found
  vim.wait(PATIENCE, function()
    found = holds()
    return found
  end, 20)
  return found
end

-- Puts the cursor behind the first `text` of the buffer, or on its first character.
function editor.go(text, behind)
  for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, true)) do
    local start, stop = line:find(text, 1, true)
    if start then
      vim.api.nvim_win_set_cursor(0, { number, behind and stop or start - 1 })
      return
    end
  end
  error("the buffer has no " .. text)
end

-- Adds a line, and puts the cursor behind it, as in insert mode.
function editor.type(line)
  vim.api.nvim_buf_set_lines(0, -1, -1, true, { line })
  vim.wo.virtualedit = "onemore"
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(0), #line })
end

-- The answer of the server at the cursor. Where the session was late there is none, or a list that says that it is not whole.
function editor.ask(method, more)
  local params = vim.tbl_extend("force", vim.lsp.util.make_position_params(0, "utf-16"), more or {})
  local result
  for _ = 1, PATIENCE / AGAIN do
    local answers = vim.lsp.buf_request_sync(0, method, params, PATIENCE) or {}
    for _, answer in pairs(answers) do
      assert(not answer.err, vim.inspect(answer.err))
      result = answer.result
    end
    if result and result ~= vim.NIL and not result.isIncomplete then break end
    vim.wait(AGAIN)
  end
  return result
end

-- What Neovim would show in its completion menu.
function editor.complete()
  local result = editor.ask("textDocument/completion", { context = { triggerKind = 1 } })
  local items = vim.lsp.util.text_document_completion_list_to_complete_items(result, "")
  return vim.tbl_map(function(item) return item.word end, items)
end

-- The lines of the window that floats above the text once `show` has had an answer to show.
function editor.floating(show)
  local due = 0
  return editor.wait(function()
    if vim.loop.hrtime() / 1e6 > due then
      show()
      due = vim.loop.hrtime() / 1e6 + AGAIN
    end
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= "" then
        return vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, true)
      end
    end
  end)
end

function editor.text()
  return vim.api.nvim_buf_get_lines(0, 0, -1, true)
end

-- command: the words that start the server; scene: the file of the test; result: where it goes
return function(command, scene, result)
  local attached = false
  local client = vim.lsp.start_client({
    name = "drupe",
    cmd = command,
    root_dir = vim.fn.getcwd(),
    on_attach = function() attached = true end,
  })
  vim.lsp.buf_attach_client(0, client)
  editor.wait(function() return attached end)
  editor.client = vim.lsp.get_client_by_id(client)
  local good, found = pcall(dofile(scene), editor)
  local file = io.open(result, "w")
  file:write(vim.json.encode({ good = good, found = found }))
  file:close()
  vim.cmd("qall!")
end
