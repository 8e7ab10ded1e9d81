use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::*;

/// The cursor stands where `|` is.
fn cursor(text: &str) -> Cursor {
    let offset = text.find('|').unwrap_or(text.len());
    let text = text.replacen('|', "", 1);
    Program::plain(&text).cursor(offset)
}

fn attribute(base: &str) -> Place {
    Place::Attribute { base: base.into() }
}

fn module(package: &str) -> Place {
    Place::Module {
        package: package.into(),
    }
}

fn member(module: &str) -> Place {
    Place::Member {
        module: module.into(),
    }
}

fn key(base: &str, index: usize, quote: char) -> Place {
    Place::Key {
        base: base.into(),
        index,
        quoted: Quoted { quote, raw: false },
    }
}

#[track_caller]
fn all(place: &Place, texts: &[&str]) {
    for text in texts {
        assert_eq!(&cursor(text).place, place, "{text}");
    }
}

#[test]
fn names() {
    all(
        &Place::Name,
        &[
            "|",
            "ab|",
            "x = ab|",
            "x = |",
            "print(ab|",
            "f(a, |",
            "[|",
            "{1: a|",
            "x[a:b|",
            "f(*ar|",
            "f(**k|",
            "@dec|",
            "if a|",
            "return |",
            "del x|",
            "global x|",
            "raise V|",
            "except (A, B|",
            "await x|",
            "not x|",
            "x: in|",
            "def f(a: in|",
            "def f(a=de|",
            "def f() -> in|",
            "lambda x: x|",
            "lambda x=de|",
            "[x for x in y|",
            "[x|",
            "f'{x|}'",
            "f'{x!r:>{wi|}}'",
            "for x in y|",
            "(y := x|",
            "%time x|",
            "%timeit -n 3 x|",
            "%timeit -n3 -o f(x|",
            "!ls {x|}",
            "!echo $x|",
            "%cd {x|}",
            "match x|",
            "if True: pri|",
            "try:\n    x|",
            "case [a]: pri|",
            "case a if b|",
            "type X = in|",
            "class A(B|",
            "def f[T: in|](a)",
            "x = 1; y|",
            "import os; o|",
            "%%time\nx|",
            "f(a\nx = b|",
            "df.query('a > @b|",
            "print(x if a else b|",
            "x = 5 + y|",
            "with open(x|",
            "while x|",
            "assert x|",
            "yield x|",
            "?pri|",
            "x = a or b|",
        ],
    );
}

#[test]
fn words_after_an_operand() {
    for text in [
        "x i|",
        "[x fo|",
        "for x i|",
        "x = y i|",
        "f() i|",
        "x = a els|",
        "raise A fr|",
        "from os imp|",
        "import os a|",
        "with f() a|",
    ] {
        assert!(matches!(cursor(text).place, Place::Keyword { .. }), "{text}");
    }
}

#[test]
fn silence() {
    all(
        &Place::Nothing,
        &[
            "# note.a|",
            "x = 1  # not|",
            "1.|",
            "x = 5|",
            "x = 5.|",
            "x = 'abc'|",
            "x = f'abc'|",
            "f(x)|",
            "x[1]|",
            "{}|",
            "x = y |",
            "f'abc|",
            "f'{x} ab|c'",
            "f'{x:>|}'",
            "f'{x!|}'",
            "f'{x!r|}'",
            "t'abc|'",
            "b'ab|'",
            "'''doc|'''",
            "'doc|'",
            "def f():\n    'doc|'",
            "x = '''te|'''",
            "def na|",
            "class Na|",
            "import a as b|",
            "from a import b as c|",
            "with f as na|",
            "except E as na|",
            "for na|",
            "for a, b|",
            "for (a, b|",
            "[x for na|",
            "{k: v for k, v|",
            "lambda na|",
            "lambda x, na|",
            "def f(na|",
            "def f(a, na|",
            "def f(*na|",
            "def f(a=1, *, na|",
            "def f[T|](a)",
            "class A[T|]:",
            "type X|",
            "async def na|",
            "from os import *|",
            "pass |",
            "else |",
            "%%bash\nls|",
            "%matplotlib in|",
            "0x|",
            "5x|",
            "\\al|",
            "x = \\bet|",
            "case [a, *re|",
            "df.query('a == \"b|",
            "df.query('a.st|",
            ".|",
            "...|",
            "x?|",
        ],
    );
}

#[test]
fn attributes() {
    for (text, base) in [
        ("df.co|", "df"),
        ("a.b[0]['k'].c|\nprint(1)", "a.b[0]['k']"),
        ("f(x).y|", "f(x)"),
        ("'abc'.up|", "'abc'"),
        ("x1.|", "x1"),
        ("(df\n .|", "df"),
        ("(df\n .head()\n .|", "df.head()"),
        (
            "(df  # first\n .head(1,\n  2) # second\n # third\n .|)",
            "df.head(1,2)",
        ),
        ("x = df \\\n  .|", "df"),
        ("(a if b\n else c).|", "(a if b else c)"),
        ("print(x.|)", "x"),
        ("f'{x.|}'", "x"),
        ("f'{x}{y.|}'", "y"),
        ("f'{a:{b.|}}'", "b"),
        ("f'{d[\"k\"].|}'", "d[\"k\"]"),
        ("f'''\n{x.|}\n'''", "x"),
        ("t'{x.|}'", "x"),
        ("%time x.|", "x"),
        ("%timeit -n 3 x.y.|", "x.y"),
        ("!cmd {x.|}", "x"),
        ("!cmd {x.|} {y}", "x"),
        ("def f(s: str): s.|", "s"),
        ("[x.| for x in y]", "x"),
        ("@a.|", "a"),
        ("for x in y.|", "y"),
        ("for x.|", "x"),
        ("x.import|", "x"),
        ("[1, 2].|", "[1, 2]"),
        ("{'a': 1}.|", "{'a': 1}"),
        ("x = 1\n\n\ny.|\nz = 2", "y"),
        ("a = b.|\nc = d", "b"),
        ("await x.|", "x"),
        ("lambda: x.|", "x"),
        ("match.|", "match"),
        ("case A.|", "A"),
        ("f(a)(b)[c].|", "f(a)(b)[c]"),
        ("f'{x}'.|", "f'{x}'"),
        ("if x: y.|", "y"),
        ("not x.|", "x"),
        ("-x.|", "x"),
        ("%%timeit x.|", "x"),
        ("?x.|", "x"),
    ] {
        assert_eq!(cursor(text).place, attribute(base), "{text}");
    }
}

#[test]
fn imports() {
    for (text, place) in [
        ("import nu|", module("")),
        ("import os.pa|", module("os.")),
        ("import a, b.c|", module("b.")),
        ("import a as b, c|", module("")),
        ("import |", module("")),
        ("from os.pa|", module("os.")),
        ("from |", module("")),
        ("from .|", module(".")),
        ("from ...a.|", module("...a.")),
        ("from os import pa|", member("os")),
        ("from . import a, b|", member(".")),
        ("from .a import |", member(".a")),
        ("from x.y import (a,\n    b|", member("x.y")),
        ("from x import (\n    a as b,  # why\n    c|)", member("x")),
        ("if True: import js|", module("")),
        ("x = 1; import js|", module("")),
        ("if x:\n    from os import pa|", member("os")),
        ("%load_ext auto|", module("")),
    ] {
        assert_eq!(cursor(text).place, place, "{text}");
    }
}

#[test]
fn magics() {
    for (text, place, word) in [
        ("%ti|", Place::Magic { cell: false }, "ti"),
        ("%%ti|", Place::Magic { cell: true }, "ti"),
        ("%%ba|\nls", Place::Magic { cell: true }, "ba"),
        ("  %ti|", Place::Magic { cell: false }, "ti"),
        ("!ls fo|", Place::Shell, "fo"),
        ("%cd fo|", Place::Shell, "fo"),
        ("x = !ls fo/b|", Place::Shell, "fo/b"),
        ("x = %sx ls f|", Place::Shell, "f"),
        ("x = %ti|", Place::Magic { cell: false }, "ti"),
        ("%run a.p|", Place::Shell, "a.p"),
        ("%%writefile fo|", Place::Shell, "fo"),
    ] {
        let offset = text.find('|').unwrap_or(text.len());
        let program = Program::plain(&text.replacen('|', "", 1));
        let found = program.cursor(offset);
        assert_eq!((found.place, program.text(found.word)), (place, word), "{text}");
    }
}

#[test]
fn keys_and_strings() {
    for (text, place) in [
        ("df['co|", key("df", 0, '\'')),
        ("df[\"co|\"]", key("df", 0, '"')),
        ("df[['a', 'co|", key("df", 0, '\'')),
        ("df[('a', 'co|", key("df", 0, '\'')),
        ("df.loc[:, 'co|", key("df.loc", 1, '\'')),
        ("df.loc[:, ['a', 'co|']]", key("df.loc", 1, '\'')),
        ("f(df['co|'])", key("df", 0, '\'')),
        ("os.environ['H|", key("os.environ", 0, '\'')),
        ("f'{d[\"k|\"]}'", key("d", 0, '"')),
    ] {
        assert_eq!(cursor(text).place, place, "{text}");
    }
    let text = |alone| Place::Text {
        alone,
        quoted: Quoted {
            quote: '\'',
            raw: false,
        },
    };
    for (code, alone, callees) in [
        ("open('da|", true, &["open"][..]),
        ("open('da|')", true, &["open"]),
        ("x = 'da|'", true, &[]),
        ("df.filter(pl.col('a|", true, &["pl.col", "df.filter"]),
        ("df.groupby(['a', 'b|", true, &["df.groupby"]),
        ("df.filter(a == 'x|')", false, &["df.filter"]),
        ("df.query('a > 1 and b|", true, &["df.query"]),
        ("x == 'a|'", false, &[]),
    ] {
        let found = cursor(code);
        assert_eq!(found.place, text(alone), "{code}");
        let found: Vec<_> = found.calls.iter().map(|call| call.callee.as_str()).collect();
        assert_eq!(found, callees, "{code}");
    }
}

#[test]
fn patterns() {
    all(
        &Place::Pattern,
        &[
            "case Po|",
            "match x:\n    case Po|",
            "match x:\n    case [Po|",
            "match x:\n    case A(x=|",
        ],
    );
}

#[test]
fn calls() {
    for (text, callee, index, keyword) in [
        ("f(g(1, 2), key=3, other=|", "f", 2, Some("other")),
        ("a.b(\n  [1, 2|", "a.b", 0, None),
        ("f([1, 2|])", "f", 0, None),
        ("f({1: 2, 3: 4|})", "f", 0, None),
        ("f((1, 2), |)", "f", 1, None),
        ("f(lambda x, y: x, |)", "f", 1, None),
        ("f(lambda x, y|", "f", 0, None),
        ("f(x[1, 2|", "f", 0, None),
        ("f('a, b', |", "f", 1, None),
        ("f('a, |", "f", 0, None),
        ("f(f'{a}, {b|}', c)", "f", 0, None),
        ("f(a,  # one, two\n  |", "f", 1, None),
        ("(df\n .head(|", "df.head", 0, None),
        ("@f(|", "f", 0, None),
        ("f(*a, |", "f", 1, None),
        ("f(a, key=[1, 2|", "f", 1, Some("key")),
        ("f(1)(2, |", "f(1)", 1, None),
        ("%time f(1, |", "f", 1, None),
        ("print(f(a), g(|", "g", 0, None),
        ("match x:\n    case 1: f(|", "f", 0, None),
    ] {
        let calls = cursor(text).calls;
        let Some(call) = calls.first() else {
            panic!("no call: {text}")
        };
        assert_eq!(
            (call.callee.as_str(), call.index, call.keyword.as_deref()),
            (callee, index, keyword),
            "{text}"
        );
    }
    for text in [
        "def f(a|",
        "if (a|",
        "f(1)|",
        "class A(B|",
        "f(a\ndef g(b|",
        "not (a|",
        "case A(x|",
        "# f(|",
        "from a import (|",
    ] {
        assert_eq!(cursor(text).calls, [], "{text}");
    }
    let given = |text| cursor(text).calls.into_iter().next().map(|call| call.given);
    assert_eq!(
        given("f(a=1, b=2, |c=g(d=4), e=5)"),
        Some(["a", "b", "c", "e"].map(String::from).into())
    );
    let written = |text| cursor(text).calls.into_iter().next().map(|call| call.written);
    assert_eq!(written("f(df, on=['|").as_deref(), Some("df, on=["));
    assert_eq!(written("f({'a': '|'})").as_deref(), Some("{'a': "));
}

#[test]
fn expressions_under_the_cursor() {
    let at = |text: &str| {
        let offset = text.find('|').unwrap_or(text.len());
        let program = Program::plain(&text.replacen('|', "", 1));
        program.expression_at(offset).map(|(text, _)| text)
    };
    for (text, expression) in [
        ("x = a.b|c.d", Some("a.bc")),
        ("x = a.bc.|d", Some("a.bc.d")),
        ("f|(y).z", Some("f")),
        ("f(y).|z", Some("f(y).z")),
        ("a|  + b", Some("a")),
        ("a  | + b", None),
        ("'a na|me'", None),
        ("# a na|me", None),
        ("f'na|me {x}'", None),
        ("f'name {x|}'", Some("x")),
        ("f(na|me=1)", None),
        ("f(name=va|lue)", Some("value")),
        ("%time na|me(1)", Some("name")),
        ("!ls {na|me}", Some("name")),
        ("!ls na|me", None),
        ("wh|ile x: y", None),
        ("(a\n .b|)", Some("a.b")),
    ] {
        assert_eq!(at(text).as_deref(), expression, "{text}");
    }
}

#[test]
fn a_cursor_in_a_long_program_is_found_at_once() {
    let program = Program::plain(&"value = compute(first, 'second', third=[1, 2, 3])\n".repeat(10_000));
    let spent = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).expect("a time");
    let before = spent();
    const TIMES: u32 = 1000;
    for index in 0..TIMES as usize {
        program.cursor(program.source.len() / TIMES as usize * index);
    }
    let each = (spent() - before) / TIMES;
    assert!(each < Duration::from_millis(1), "{each:?}");
}
