use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Text that some version of YAML reads as something else, or not at all.
const TRAPS: &[&str] = &[
    "",
    " ",
    "~",
    "null",
    "Null",
    "true",
    "TRUE",
    "yes",
    "No",
    "on",
    "off",
    "y",
    "N",
    "123",
    "0123",
    "0x1F",
    "0o17",
    "1e3",
    "1_000",
    "-1",
    "+1",
    ".5",
    ".inf",
    ".NaN",
    "12:30:45",
    "2001-01-01",
    "2001-12-14 21:59:43.10 -5",
    "=",
    "<<",
    "-",
    "--",
    "---",
    "...",
    "?",
    ":",
    "a:",
    "a: b",
    ": a",
    "a #b",
    "#a",
    "- a",
    "? a",
    "[a]",
    "{a}",
    "a,b",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "'a'",
    "\"a\"",
    "\\",
    "a\nb",
    "a\n",
    "\ta",
    "a\tb",
    " a",
    "a ",
    "é",
    "名前",
    "😀",
    "\u{0}",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{feff}a",
    "\u{fffe}",
    "\u{ffff}",
    "\r\n",
    "arn:aws:eks:us-west-2:111122223333:cluster/demo",
    "--region",
    "https://[fd00::1]:443",
    "/var/run/demo.eks-token",
    "LS0tLS1CRUdJTg==",
    "1LS0tQ==",
    "x=",
    "inf",
    "nan",
];

/// A tree of text; each reader has to find exactly this.
#[derive(Debug, Clone)]
enum Tree {
    Text(String),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

impl Tree {
    fn node(&self) -> Node {
        match self {
            Tree::Text(text) => Node::text(text),
            Tree::List(items) => Node::Sequence(items.iter().map(Tree::node).collect()),
            Tree::Map(pairs) => {
                let pairs = pairs.iter();
                Node::Mapping(
                    pairs
                        .map(|(key, value)| (Scalar::text(key), value.node()))
                        .collect(),
                )
            }
        }
    }

    fn value(&self) -> Value {
        match self {
            Tree::Text(text) => Value::String(text.clone()),
            Tree::List(items) => items.iter().map(Tree::value).collect(),
            Tree::Map(pairs) => {
                let pairs = pairs.iter();
                pairs
                    .map(|(key, value)| (key.clone(), value.value()))
                    .collect()
            }
        }
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TRAPS).prop_map(str::to_owned),
        "[a-z0-9:/. -]{0,12}",
        any::<String>(),
        "[a-z ]{120,1300}",
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    texts()
        .prop_map(Tree::Text)
        .prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
                prop::collection::btree_map(texts(), inner, 0..4).prop_map(Tree::Map),
            ]
        })
}

/// `serde-saphyr`, which knows nothing of what is written here.
fn read_by_another(text: &str) -> Value {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).expect(text)
}

/// Letters only: whether they are quoted is the writer's choice.
fn letters(node: &Node) -> Value {
    match node {
        Node::Scalar(scalar) => Value::String(scalar.text.clone()),
        Node::Sequence(items) => items.iter().map(letters).collect(),
        Node::Mapping(pairs) => {
            let pairs = pairs.iter();
            pairs
                .map(|(key, value)| (key.text.clone(), letters(value)))
                .collect()
        }
    }
}

fn line_of(text: &str) -> (usize, &'static str) {
    match read(text) {
        Err(found) => (found.line, found.reason),
        Ok(node) => panic!("{text:?} was read as {:?}", letters(&node)),
    }
}

fn again(text: &str) -> String {
    match read(text) {
        Ok(node) => write(&node),
        Err(found) => panic!("{text:?}: line {}, {}", found.line, found.reason),
    }
}

proptest! {
    #[test]
    fn another_reader_finds_exactly_the_text_that_was_written(tree in trees()) {
        let tree = Tree::Map(BTreeMap::from([("a".to_owned(), tree)]));
        let written = write(&tree.node());
        prop_assert_eq!(read_by_another(&written), tree.value(), "{}", written);
    }

    #[test]
    fn what_was_written_is_read_and_written_again_without_a_change(tree in trees()) {
        let tree = Tree::Map(BTreeMap::from([("a".to_owned(), tree)]));
        let written = write(&tree.node());
        let found = read(&written).map_err(|found| found.reason);
        prop_assert!(found.is_ok(), "{}", written);
        let found = found.unwrap_or(Node::text(""));
        prop_assert_eq!(letters(&found), tree.value());
        prop_assert_eq!(write(&found), written);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]{}:,&*!|>'\"%@`#?\n\t a-c-]{0,60}") {
        if let Ok(node) = read(&text) {
            prop_assert_eq!(again(&write(&node)), write(&node), "{:?}", text);
        }
    }
}

#[test]
fn every_trap_is_text_after_writing() {
    for trap in TRAPS {
        let written = write(&Node::mapping([(*trap, Node::text(*trap))]));
        let expected = BTreeMap::from([((*trap).to_owned(), Tree::Text((*trap).to_owned()))]);
        assert_eq!(
            read_by_another(&written),
            Tree::Map(expected).value(),
            "{written}"
        );
    }
}

#[test]
fn what_may_be_more_than_text_keeps_its_letters_and_gets_no_quotes() {
    for plain in [
        "123",
        "0123",
        "0x1F",
        "1e3",
        "1_000",
        "1.10",
        "-1",
        "null",
        "true",
        "yes",
        "off",
        ".inf",
        "12:30:45",
        "2001-01-01",
        "2001-12-14 21:59:43.10 -5",
        "=",
        "123456789012345678901234567890",
    ] {
        let line = format!("a: {plain}\n");
        assert_eq!(again(&line), line);
        let key = format!("{plain}: a\n");
        assert_eq!(again(&key), key);
        assert_eq!(
            again(&format!("a: '{plain}'\n")),
            format!("a: \"{plain}\"\n")
        );
    }
    assert_eq!(again("a:\nb: ~\nc: ''\n"), "a: null\nb: null\nc: \"\"\n");
    assert_eq!(again("<<: {a: 1}\n"), "<<:\n  a: 1\n");
    assert_eq!(
        again("a: !!str 123\nb: ! 123\nc: !!str\n"),
        "a: \"123\"\nb: \"123\"\nc: \"\"\n"
    );
}

#[test]
fn every_style_is_read_and_block_style_is_written() {
    let text = concat!(
        "# a comment\n---\n",
        "a: {b: [1, 'x y', {c: \"d\"}], e: [], f: {}}\n",
        "lines: |\n  one\n  two\n",
        "folded: >-\n  one\n  two\n",
        "plain: one\n  two\n",
        "? long\n: - - 1\n    - 2\n  - x: 1\n    y: 2\n",
        "unused: &anchor 1\n...\n",
    );
    let expected = concat!(
        "a:\n  b:\n  - 1\n  - \"x y\"\n  - c: d\n  e: []\n  f: {}\n",
        "lines: \"one\\ntwo\\n\"\n",
        "folded: \"one two\"\n",
        "plain: \"one two\"\n",
        "long:\n- - 1\n  - 2\n- x: 1\n  y: 2\n",
        "unused: 1\n",
    );
    let expected = expected.replace("\"one two\"\nlong", "one two\nlong");
    assert_eq!(again(text), expected);
}

#[test]
fn json_is_yaml() {
    assert_eq!(
        again("{\"a\": [{\"b\":\"c\"}],\n\t\"d\": null}"),
        "a:\n- b: c\nd: null\n"
    );
}

#[test]
fn nothing_is_null() {
    for text in [
        "",
        " \n",
        "# nothing\n",
        "---\n",
        "null",
        "~\n",
        "---\n...\n",
        "\u{feff}",
    ] {
        assert!(read(text).is_ok_and(|node| node.is_null()), "{text:?}");
    }
    for text in ["''", "\"null\"", "{}", "[]"] {
        assert!(read(text).is_ok_and(|node| !node.is_null()), "{text:?}");
    }
}

#[test]
fn what_would_change_on_the_way_is_refused_with_its_line() {
    assert_eq!(line_of("a: 1\nb: [\n").1, "no YAML");
    assert_eq!(line_of("a: 1\nb: \"x\n").1, "no YAML");
    assert_eq!(line_of("a: 1\nb: *x\n").1, "no YAML");
    assert_eq!(line_of("a: &x 1\nb: *x\n"), (2, "an alias"));
    assert_eq!(line_of("a: 1\nb: !x 1\n"), (2, "a tag"));
    assert_eq!(line_of("a: 1\nb: !!binary aGVsbG8=\n"), (2, "a tag"));
    assert_eq!(line_of("a: 1\nb: !x [1]\n"), (2, "a tag"));
    assert_eq!(
        line_of("a: 1\nb: 2\na: 3\n"),
        (3, "a key for the second time")
    );
    assert_eq!(
        line_of("a: 1\n? [b]\n: 2\n").1,
        "a key that is a list or a mapping"
    );
    assert_eq!(
        line_of("a: 1\n---\nb: 2\n"),
        (2, "a second document begins")
    );
}

#[test]
fn neither_depth_nor_expansion_can_end_the_process() {
    assert!(read(&"[".repeat(1_000_000)).is_err());
    assert!(read(&"- ".repeat(100_000)).is_err());
    assert!(read(&"a:\n".repeat(100_000)).is_err());
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    assert!(read(laughs).is_err());
}
