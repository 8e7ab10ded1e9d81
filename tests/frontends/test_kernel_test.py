"""jupyter_kernel_test, whole: the test suite that Jupyter offers to every kernel."""

import jupyter_kernel_test


class TestKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "drupe"
    language_name = "python"
    file_extension = ".py"

    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('a warning', file=sys.stderr)"
    completion_samples = [
        # A beginning that no installed package shares.
        {"text": "import drupe_of_a_plum, graphl", "matches": {"graphlib"}},
        {"text": "'a'.isal", "matches": {"isalnum", "isalpha"}},
        {"text": "zzz_nothing_begins_so", "matches": set()},
    ]
    complete_code_samples = ["1", "print('hello')", "def f(x):\n  return x * 2\n\n\n", "%lsmagic"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  return x * 2", "if x:"]
    invalid_code_samples = ["import = 7q", "x = )"]
    code_page_something = "zip?"
    code_generate_error = "raise RuntimeError('on purpose')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "'stone'", "result": "'stone'"},
        {"code": "from IPython.display import HTML; HTML('<b>x</b>')", "mime": "text/html"},
        {"code": "[1, 2] * 2", "result": "[1, 2, 1, 2]"},
    ]
    code_display_data = [
        {
            "code": "from IPython.display import display, Latex; display(Latex('$x$'))",
            "mime": "text/latex",
        },
        {
            "code": "from IPython.display import display, SVG; display(SVG('<svg/>'))",
            "mime": "image/svg+xml",
        },
    ]
    code_history_pattern = "6?* 7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestIopubWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "drupe"
    support_iopub_welcome = True
