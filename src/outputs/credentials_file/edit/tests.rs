use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

use super::*;

const VALUES: Values<'_> = Values {
    access_key_id: "ASIANEW",
    secret_access_key: "sec+ret/==",
    session_token: "token==",
    region: "eu-west-1",
};
/// As they stand in a profile.
const BLOCK: &str = "aws_access_key_id = ASIANEW\naws_secret_access_key = sec+ret/==\naws_session_token = token==\naws_security_token = token==\nregion = eu-west-1\n";

fn profile(name: &str) -> Profile {
    name.parse().unwrap()
}

#[track_caller]
fn with(text: &str) -> String {
    edit(text, Some(&VALUES)).expect("a change")
}

#[track_caller]
fn without(text: &str) -> String {
    edit(text, None).expect("a change")
}

/// What was edited is as it should be, and stays so.
#[track_caller]
fn edit(text: &str, values: Option<&Values<'_>>) -> Option<String> {
    let default = profile("default");
    let edited = edited(text, &default, values).unwrap()?;
    let again = super::edited(edited.expose(), &default, values).unwrap();
    assert!(again.is_none(), "{:?}", again.unwrap().expose());
    Some(edited.expose().to_owned())
}

#[track_caller]
fn refused(text: &str) -> NotEditable {
    edited(text, &profile("default"), Some(&VALUES)).unwrap_err()
}

#[test]
fn a_new_file_is_the_profile_and_nothing_else() {
    assert_eq!(with(""), format!("[default]\n{BLOCK}"));
    assert_eq!(edit("", None), None);
    let named = edited("", &profile("my profile"), Some(&VALUES));
    let named = named.unwrap().unwrap();
    assert_eq!(named.expose(), format!("[my profile]\n{BLOCK}"));
}

#[test]
fn a_profile_that_is_not_there_goes_to_the_end() {
    for (before, gap) in [
        ("[other]\nregion = x\n", "\n"),
        ("[other]\nregion = x", "\n\n"),
        ("# nothing\n", "\n"),
        ("[other]\ns3 =\n  region = x", "\n\n"),
    ] {
        let expected = format!("{before}{gap}[default]\n{BLOCK}");
        assert_eq!(with(before), expected, "{before:?}");
    }
}

#[test]
fn keys_keep_their_places_and_everything_else_its_bytes() {
    let before = "\n# mine\n[other]\naws_access_key_id=OTHER\n\n[default]  ; the pod's\n; key\nAWS_ACCESS_KEY_ID: OLD\noutput=json\n\n# secret\naws_secret_access_key   =   OLD\naws_session_token = OLD\n  tail of it\n\n  # indented\nregion=eu-west-1\ns3 =\n  region = here\n\n[last]\nregion = x\n";
    let after = "\n# mine\n[other]\naws_access_key_id=OTHER\n\n[default]  ; the pod's\n; key\naws_access_key_id = ASIANEW\noutput=json\n\n# secret\naws_secret_access_key = sec+ret/==\naws_session_token = token==\n\n  # indented\nregion=eu-west-1\ns3 =\n  region = here\naws_security_token = token==\n\n[last]\nregion = x\n";
    assert_eq!(with(before), after);
    let taken_out = "\n# mine\n[other]\naws_access_key_id=OTHER\n\n[default]  ; the pod's\n; key\noutput=json\n\n# secret\n\n  # indented\nregion=eu-west-1\ns3 =\n  region = here\n\n[last]\nregion = x\n";
    assert_eq!(without(after), taken_out);
}

/// Not in every way of spelling keys do all SDKs find them.
#[test]
fn a_key_with_the_right_value_stays_as_it_is_written_unless_it_is_spelled_otherwise() {
    let missing = BLOCK.replace("region = eu-west-1\n", "");
    for (region, after) in [
        ("region=eu-west-1\n", "region=eu-west-1\n"),
        ("Region=eu-west-1\n", "region = eu-west-1\n"),
    ] {
        let text = format!("[default]\n{region}");
        assert_eq!(with(&text), format!("[default]\n{after}{missing}"));
    }
}

#[test]
fn no_key_of_ours_stands_there_twice() {
    let before = "[default]\nregion = a\nregion = b\n[ default ]\naws_session_token = OLD\nx = 1\n[default]\naws_access_key_id = OLD\n[other]\n";
    let after = format!(
        "[default]\nregion = eu-west-1\n{}[ default ]\nx = 1\n[default]\n[other]\n",
        BLOCK.replace("region = eu-west-1\n", "")
    );
    assert_eq!(with(before), after);
    assert_eq!(
        without("[ default ]\naws_session_token = OLD\n[default]\naws_security_token = OLD\n"),
        "[ default ]\n[default]\n"
    );
}

#[test]
fn a_section_with_blanks_in_its_brackets_is_another_profile_to_some_and_the_same_to_others() {
    let after = format!("[ default ]\noutput = json\n\n[default]\n{BLOCK}");
    assert_eq!(
        with("[ default ]\naws_access_key_id = OLD\noutput = json\n"),
        after
    );
}

/// An indented line behind one that is not would be a part of it in Python.
#[test]
fn indented_keys_go_and_come_back_without_indentation() {
    let before =
        "[default]\n  aws_access_key_id = OLD\n  output = json\n    and more\n  region = x\n";
    let after = format!("[default]\n  output = json\n    and more\n{BLOCK}");
    assert_eq!(with(before), after);
    assert_eq!(
        without(before),
        "[default]\n  output = json\n    and more\n  region = x\n"
    );
}

#[test]
fn what_is_nested_in_another_key_is_not_ours() {
    let nested = "[default]\nservices =\n  aws_access_key_id = x\n  region = y\n\toutput = json\n";
    assert_eq!(with(nested), format!("{nested}{BLOCK}"));
    assert_eq!(edit(nested, None), None);
}

#[test]
fn lines_end_as_they_do_in_the_file() {
    let before = "[other]\r\nregion = x\r\n\r\n[default]\r\nregion = y\r\n";
    let block = BLOCK.replace('\n', "\r\n");
    let missing = block.replace("region = eu-west-1\r\n", "");
    assert_eq!(
        with(before),
        format!("[other]\r\nregion = x\r\n\r\n[default]\r\nregion = eu-west-1\r\n{missing}")
    );
    assert_eq!(
        with("[other]\r\n"),
        format!("[other]\r\n\r\n[default]\r\n{block}")
    );
}

#[test]
fn a_last_line_without_an_end_gets_one_where_something_follows() {
    let last = format!("[default]\n{}", BLOCK.trim_end());
    assert_eq!(with(&last), format!("[default]\n{BLOCK}"));
    let other = format!("[default]\n{BLOCK}[other]\nx = 1");
    assert_eq!(edit(&other, Some(&VALUES)), None);
    assert_eq!(without("[default]\naws_access_key_id = OLD"), "[default]\n");
}

#[test]
fn other_names_are_other_profiles() {
    for other in [
        "Default",
        "default2",
        "profile default",
        "defaul",
        "\"default\"",
    ] {
        let text = format!("[{other}]\naws_access_key_id = OTHER\n");
        assert_eq!(with(&text), format!("{text}\n[default]\n{BLOCK}"));
    }
}

#[test]
fn a_file_that_parsers_would_read_differently_is_not_edited() {
    use Wrong::{BeforeAnyHeader, Continuation, ControlCharacter, Header, Neither};
    for (text, line, wrong) in [
        ("key = value\n[default]\n", 1, BeforeAnyHeader),
        ("# fine\n\n  x\n", 3, BeforeAnyHeader),
        ("\u{feff}[default]\n", 1, BeforeAnyHeader),
        ("[default]\nx = a\0b\n", 2, ControlCharacter),
        ("[default]\n# a comment\u{1b}[2J\n", 2, ControlCharacter),
        ("[default]\rregion = x\n", 1, ControlCharacter),
        ("[other]\nx = 1\n[default\n", 3, Header),
        ("[default] default\n", 1, Header),
        ("[default]# joined\n", 1, Header),
        ("[default] # see [x]\n", 1, Header),
        ("[default]]\n", 1, Header),
        ("[]\n", 1, Header),
        ("[other]\n [default]\n", 2, Header),
        ("[other]\nx =\n  [default] # x\n", 3, Header),
        (
            "[default]\naws_session_token = OLD\n  x = 1\n",
            3,
            Continuation,
        ),
        ("[default]\nregion =\n\n  tail==\n", 4, Continuation),
        ("[default]\noutput = json\n  Region = x\n", 3, Continuation),
        (
            "[ default ]\nx = y\n\taws_access_key_id: z\n",
            3,
            Continuation,
        ),
        ("[default]\nregion = x\njunk\n", 3, Neither),
        ("[default]\n  = x\n", 2, Neither),
    ] {
        assert_eq!(refused(text), NotEditable::Line(line, wrong), "{text:?}");
    }
    // Elsewhere it does not matter, and what nobody reads is left where it is.
    let elsewhere = "[other]\nregion = x\n  region = y\njunk\n  more junk\n[a[b]\n= x\n";
    assert_eq!(with(elsewhere), format!("{elsewhere}\n[default]\n{BLOCK}"));
}

#[test]
fn a_file_is_not_edited_that_is_too_large_or_would_be() {
    let comment = |bytes: usize| format!("#{}\n", "x".repeat(bytes - 2));
    assert_eq!(refused(&comment(LARGEST + 1)), NotEditable::TooLarge);
    assert_eq!(refused(&comment(LARGEST - 10)), NotEditable::TooLarge);
    let just = comment(LARGEST - BLOCK.len() - "\n[default]\n".len());
    assert_eq!(with(&just).len(), LARGEST);
    assert_eq!(edit(&comment(LARGEST), None), None);
}

#[test]
fn a_value_cannot_bring_lines_of_its_own() {
    for value in ["a\nregion = x", "a b", "a\u{e9}"] {
        let values = Values {
            session_token: value,
            ..VALUES
        };
        let edited = edited("", &profile("default"), Some(&values));
        let error = NotEditable::Value("aws_session_token");
        assert_eq!(edited, Err(error), "{value:?}");
    }
}

/// A buffer that grew would have left copies of the secrets behind.
#[test]
fn there_is_room_for_everything_from_the_beginning() {
    for text in [
        "",
        "x",
        "[default]\r\n",
        "[other]\r\nx = y",
        "[default]\r\nx",
    ] {
        let default = profile("default");
        let mut edit = Edit::new(text, &default, VALUES.keys().to_vec());
        let room = edit.edited.capacity();
        for line in text.split_inclusive('\n') {
            let _ = edit.line(line);
        }
        assert_eq!(edit.finish().capacity(), room, "{text:?}");
    }
}

/// The lines of all other profiles.
fn foreign(text: &str) -> Vec<&str> {
    let mut is_foreign = true;
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| {
        if let Some((name, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_foreign = name.trim() != "default";
        }
        is_foreign
    });
    // The gap before a new profile.
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

proptest! {
    #[test]
    fn whatever_is_edited_stays_as_it_is_and_no_line_of_another_profile_is_touched(
        text in r"(\[(default| default |other|a b)\]( # c)?\r?\n|[ \t]{0,3}(region|aws_session_token|Output|x) ?[=:]? ?[a-z=]{0,3}\r?\n|[ ]{0,2}#[a-z]?\n|\n){0,12}",
    ) {
        let default = profile("default");
        for values in [Some(&VALUES), None] {
            let Ok(Some(edited)) = edited(&text, &default, values) else {
                continue;
            };
            let edited = edited.expose();
            prop_assert!(super::edited(edited, &default, values).unwrap().is_none(), "{edited:?}");
            prop_assert_eq!(foreign(edited), foreign(&text));
            for key in BLOCK.lines().filter(|_| values.is_some()) {
                let times = edited.lines().filter(|line| *line == key).count();
                prop_assert!(times == 1, "{key} {times} times in {edited:?}");
            }
        }
    }
}
