//! Rich output: display_data, updates, clear_output, formatters, plots.

use serde_json::json;

use crate::client::Kernel;

#[test]
fn display_data_carries_every_format() {
    let mut kernel = Kernel::start();
    let outcome = kernel
        .execute("from IPython.display import HTML, display\ndisplay(HTML('<b>x</b>'), metadata={'k': 'v'})");
    let shown = outcome.only("display_data");
    assert_eq!(shown.content["data"]["text/html"], "<b>x</b>");
    assert!(shown.content["data"]["text/plain"].is_string());
    assert_eq!(shown.content["metadata"], json!({"k": "v"}));
    assert_eq!(shown.content["transient"], json!({}));
    let outcome = kernel.execute(
        "from IPython.display import Image\nImage(b'\\x89PNG\\r\\n\\x1a\\n' + b'\\0' * 32, format='png')",
    );
    let png = &outcome.only("execute_result").content["data"]["image/png"];
    assert!(
        png.as_str()
            .is_some_and(|base64| base64.starts_with("iVBORw0KGgo")),
        "{png}"
    );
    let outcome =
        kernel.execute("display({'application/json': {'a': [1, None]}, 'text/plain': 'j'}, raw=True)");
    assert_eq!(
        outcome.only("display_data").content["data"]["application/json"],
        json!({"a": [1, null]})
    );
}

#[test]
fn an_update_names_its_display() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute(
        "from IPython.display import display\nhandle = display(1, display_id=True)\nhandle.update(2)",
    );
    let first = outcome.only("display_data");
    let second = outcome.only("update_display_data");
    assert!(first.content["transient"]["display_id"].is_string());
    assert_eq!(first.content["transient"], second.content["transient"]);
    assert_eq!(second.content["data"]["text/plain"], "2");
    // From a later cell, too.
    let later = kernel.execute("handle.update(3)");
    assert_eq!(
        later.only("update_display_data").content["data"]["text/plain"],
        "3"
    );
}

#[test]
fn clear_output_waits_when_told() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("from IPython.display import clear_output\nprint('a')\nclear_output(wait=True)\nprint('b')\nclear_output()");
    let types: Vec<_> = outcome
        .outputs
        .iter()
        .map(crate::client::Message::msg_type)
        .collect();
    assert_eq!(types, ["stream", "clear_output", "stream", "clear_output"]);
    let waits: Vec<_> = outcome
        .of_type("clear_output")
        .iter()
        .map(|message| message.content["wait"].clone())
        .collect();
    assert_eq!(waits, [json!(true), json!(false)]);
}

#[test]
fn every_display_of_a_cell_comes_in_order() {
    let mut kernel = Kernel::start();
    let outcome =
        kernel.execute("from IPython.display import display\nfor n in range(2000):\n    display(n)");
    let shown: Vec<String> = outcome
        .of_type("display_data")
        .iter()
        .map(|message| message.content["data"]["text/plain"].to_string())
        .collect();
    let expected: Vec<String> = (0..2000).map(|n| format!("\"{n}\"")).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_display_hook_may_change_or_swallow_a_message() {
    let mut kernel = Kernel::start();
    kernel.run("pub = get_ipython().display_pub\ndef swallow(message):\n    return None if message['msg_type'] == 'display_data' else message\npub.register_hook(swallow)");
    let swallowed = kernel.execute("from IPython.display import display\ndisplay(1)\nprint('still here')");
    assert!(swallowed.of_type("display_data").is_empty());
    assert_eq!(swallowed.stdout(), "still here\n");
    kernel.run("pub.unregister_hook(swallow)");
    kernel.execute("display(1)").only("display_data");
}

#[test]
fn a_plot_is_shown_at_the_end_of_its_cell() {
    let mut kernel = Kernel::start();
    let found = kernel.execute("import importlib.util\nimportlib.util.find_spec('matplotlib') is not None");
    if found.result() == "False" {
        return;
    }
    let outcome =
        kernel.execute("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('before the plot')");
    outcome.assert_ok();
    let shown = outcome.only("display_data");
    assert!(shown.content["data"]["image/png"].is_string());
    assert_eq!(
        outcome
            .outputs
            .last()
            .map(crate::client::Message::msg_type)
            .as_deref(),
        Some("display_data")
    );
    let again = kernel.execute("plt.plot([2, 1]);");
    assert!(again.only("display_data").content["data"]["image/png"].is_string());
    assert!(kernel.execute("1 + 1").of_type("display_data").is_empty());
}

#[test]
fn numbers_that_json_lacks_do_not_lose_the_message() {
    let mut kernel = Kernel::start();
    let outcome = kernel.execute("from IPython.display import display\ndisplay({'application/json': {'n': float('nan'), 'b': b'x'}, 'text/plain': 'odd'}, raw=True)");
    assert_eq!(outcome.only("display_data").content["data"]["text/plain"], "odd");
    kernel.assert_alive();
}
