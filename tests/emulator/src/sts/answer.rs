//! Answers of STS as they go over the wire: XML, or JSON for those who ask.

use serde_json::{Value, json};

use super::error::StsError;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const XML: &str = "text/xml";
const JSON: &str = "application/json";
const HTML: &str = "text/html";

/// Status, media type and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

/// `<ActionResponse><ActionResult>…`.
pub(super) fn success(action: &str, result: Value, as_json: bool, request_id: &str) -> Answer {
    let root = format!("{action}Response");
    let body = json!({
        format!("{action}Result"): result,
        "ResponseMetadata": { "RequestId": request_id },
    });
    if as_json {
        return Answer {
            status: 200,
            content_type: JSON,
            body: json!({ root: body }).to_string(),
        };
    }
    Answer {
        status: 200,
        content_type: XML,
        body: document(&root, &body),
    }
}

/// `<ErrorResponse><Error>…`.
pub(super) fn failure(error: &StsError, as_json: bool, request_id: &str) -> Answer {
    let body = json!({
        "Error": { "Type": error.fault_of(), "Code": error.code, "Message": error.message },
        "RequestId": request_id,
    });
    let (content_type, body) = if as_json {
        (JSON, body.to_string())
    } else {
        (XML, document("ErrorResponse", &body))
    };
    Answer {
        status: error.status,
        content_type,
        body,
    }
}

/// The page of a load balancer in front of STS.
pub(super) fn html(status: u16) -> Answer {
    let body = format!(
        "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n",
    );
    Answer {
        status,
        content_type: HTML,
        body,
    }
}

/// The page of something that is not STS at all.
pub(super) fn garbage() -> Answer {
    let body = "<html><body>Please log in to use this network.</body></html>\n".to_owned();
    Answer {
        status: 200,
        content_type: HTML,
        body,
    }
}

fn document(root: &str, body: &Value) -> String {
    let mut xml = format!("<{root} xmlns=\"{NAMESPACE}\">");
    write_children(&mut xml, body);
    xml.push_str(&format!("</{root}>\n"));
    xml
}

/// An object becomes elements, anything else text.
fn write_children(xml: &mut String, value: &Value) {
    match value {
        Value::Object(children) => {
            for (name, child) in children {
                xml.push_str(&format!("<{name}>"));
                write_children(xml, child);
                xml.push_str(&format!("</{name}>"));
            }
        }
        Value::String(text) => xml.push_str(&escape(text)),
        other => xml.push_str(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_who_is_to_blame_and_escapes_what_it_repeats() {
        let error = StsError::new(400, "ValidationError", "Value '<&>' at 'roleArn'");
        assert_eq!(
            failure(&error, false, "id-1").body,
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Code>ValidationError</Code><Message>Value '&lt;&amp;&gt;' at 'roleArn'</Message>\
             <Type>Sender</Type></Error><RequestId>id-1</RequestId></ErrorResponse>\n",
        );
        assert!(
            failure(&StsError::usual("InternalFailure"), true, "")
                .body
                .contains("Receiver")
        );
    }

    #[test]
    fn json_has_the_shape_that_the_eks_authenticator_reads() {
        let answer = success("GetCallerIdentity", json!({ "Account": "1" }), true, "id-1");
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = json!({ "GetCallerIdentityResponse": {
            "GetCallerIdentityResult": { "Account": "1" },
            "ResponseMetadata": { "RequestId": "id-1" },
        } });
        assert_eq!(body, expected);
    }
}
