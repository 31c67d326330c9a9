//! The bodies of `kubectl` from 1.32 on: protobuf in Kubernetes' envelope. Just enough of it to read the `spec` of a
//! review of oneself.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding>

use serde_json::{Map, Value, json};

const MAGIC: &[u8] = b"k8s\0";
/// Field numbers of the envelope and of every review.
const RAW: u32 = 2;
const SPEC: u32 = 2;

/// A message of which each field that is text has a name, and each field that is a message another such.
enum Field {
    Text(&'static str),
    Message(&'static str, &'static [(u32, Field)]),
}

const RESOURCE_ATTRIBUTES: &[(u32, Field)] = &[
    (1, Field::Text("namespace")),
    (2, Field::Text("verb")),
    (3, Field::Text("group")),
    (4, Field::Text("version")),
    (5, Field::Text("resource")),
    (6, Field::Text("subresource")),
    (7, Field::Text("name")),
];
const NON_RESOURCE_ATTRIBUTES: &[(u32, Field)] =
    &[(1, Field::Text("path")), (2, Field::Text("verb"))];
const ACCESS_REVIEW: &[(u32, Field)] = &[
    (1, Field::Message("resourceAttributes", RESOURCE_ATTRIBUTES)),
    (
        2,
        Field::Message("nonResourceAttributes", NON_RESOURCE_ATTRIBUTES),
    ),
];
const RULES_REVIEW: &[(u32, Field)] = &[(1, Field::Text("namespace"))];

/// The review as JSON has it; None when the body is no such thing.
pub(super) fn review(body: &[u8], resource: &str) -> Option<Value> {
    let spec: &[(u32, Field)] = match resource {
        "selfsubjectaccessreviews" => ACCESS_REVIEW,
        "selfsubjectrulesreviews" => RULES_REVIEW,
        _ => &[],
    };
    let envelope = fields(body.strip_prefix(MAGIC)?)?;
    let (_, raw) = envelope.into_iter().find(|(number, _)| *number == RAW)?;
    let review = fields(raw)?;
    let found = review.into_iter().find(|(number, _)| *number == SPEC);
    let spec = found.map_or(Some(Value::Null), |(_, bytes)| message(bytes, spec))?;
    Some(json!({ "spec": spec }))
}

fn message(bytes: &[u8], known: &[(u32, Field)]) -> Option<Value> {
    let mut object = Map::new();
    for (number, bytes) in fields(bytes)? {
        match known.iter().find(|(known, _)| *known == number) {
            Some((_, Field::Text(name))) => {
                object.insert((*name).to_owned(), str::from_utf8(bytes).ok()?.into());
            }
            Some((_, Field::Message(name, known))) => {
                object.insert((*name).to_owned(), message(bytes, known)?);
            }
            None => {}
        }
    }
    Some(object.into())
}

/// The fields that have a length, by their numbers; those of the other kinds are skipped.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u32, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let length = match key & 7 {
            0 => {
                varint(&mut bytes)?;
                continue;
            }
            1 => 8,
            2 => usize::try_from(varint(&mut bytes)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (field, rest) = bytes.split_at_checked(length)?;
        if key & 7 == 2 {
            found.push((u32::try_from(key >> 3).ok()?, field));
        }
        bytes = rest;
    }
    Some(found)
}

/// Seven bits a byte, the lowest first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn enveloped(raw: &[u8]) -> Vec<u8> {
        let type_meta = field(1, &field(1, b"authorization.k8s.io/v1"));
        [MAGIC, &type_meta, &field(2, raw), &field(3, b"")].concat()
    }

    #[test]
    fn a_question_is_read_as_if_it_were_json() {
        let attributes = [
            field(1, b"default"),
            field(2, b"get"),
            field(5, b"pods"),
            vec![9 << 3, 1],
            vec![2 << 3 | 5, 1, 2, 3, 4],
        ];
        let raw = [field(1, b""), field(2, &field(1, &attributes.concat()))].concat();
        let expected = json!({ "spec": { "resourceAttributes": {
            "namespace": "default", "verb": "get", "resource": "pods",
        } } });
        let read = review(&enveloped(&raw), "selfsubjectaccessreviews");
        assert_eq!(read, Some(expected));
        let raw = field(2, &field(1, b"team"));
        let read = review(&enveloped(&raw), "selfsubjectrulesreviews");
        assert_eq!(read, Some(json!({ "spec": { "namespace": "team" } })));
    }

    #[test]
    fn a_review_without_a_question_is_one_too() {
        let read = review(&enveloped(&field(1, b"")), "selfsubjectreviews");
        assert_eq!(read, Some(json!({ "spec": null })));
    }

    #[test]
    fn what_is_no_envelope_is_nothing() {
        for body in [
            &b"{}"[..],
            b"k8s\0\x12\x05x",
            b"k8s\0\xff\xff",
            b"k8s\0\x07",
        ] {
            assert_eq!(review(body, "selfsubjectreviews"), None);
        }
    }
}
