//! What a sidecar signs, and the roles that it assumes to sign with.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use emulator::{Fault, ROLE_ARN, Role};

use super::Life;
use crate::sidecar::Answer;

const TRUSTING: [&str; 8] = ["deploy", "a", "b", "c", "d", "e", "f", "g"];

impl Life {
    /// Tokens by the pod's role and by another, in both forms; then every way for a role to yield none.
    pub(in super::super) fn sign(&mut self) {
        for name in TRUSTING {
            let role = Role::assumable_by(&arn(name), &[ROLE_ARN]);
            self.pod.emulator.sts().add_role(role);
        }
        for query in [String::new(), as_role("deploy")] {
            let shown = self.ask(&query, "application/json");
            let bare = self.ask(&query, "text/plain");
            assert_eq!((shown.status, bare.status), (200, 200), "{shown:?}");
            assert_eq!(shown.json()["status"]["token"], bare.body);
            self.know_eks_token(&bare.body);
        }
        self.refuse("nobody", None, 503);
        for (name, fault) in TRUSTING[1..].iter().zip([
            Fault::Down,
            Fault::Garbage,
            Fault::Throttle,
            Fault::EmptyCredentials,
            Fault::ExpiredCredentials,
            self.quoting_the_session_token(),
        ]) {
            self.refuse(name, Some(fault), 503);
        }
        self.pod.emulator.sts().set_session_token_length(3000);
        self.refuse("g", None, 422);
        self.know_issued();
        self.listen();
    }

    /// AWS tells whose signature is wrong what should have been signed: all headers, the session token among them.
    fn quoting_the_session_token(&self) -> Fault {
        let served = self.served().json();
        let token = served["Token"].as_str().expect("a session token");
        Fault::Error {
            status: 403,
            code: "SignatureDoesNotMatch".to_owned(),
            message: format!("x-amz-security-token:{token}"),
        }
    }

    fn refuse(&mut self, role: &str, fault: Option<Fault>, status: u16) {
        let sts = self.pod.emulator.sts();
        sts.clear_faults();
        if let Some(fault) = fault {
            sts.fail_action("AssumeRole", fault);
        }
        let answer = self.ask(&as_role(role), "text/plain");
        assert_eq!(answer.status, status, "{role}: {answer:?}");
        self.haystack.push_str(&format!("{answer:?}\n"));
    }

    fn ask(&self, more: &str, accept: &str) -> Answer {
        let authorization = self.authorization();
        let headers = [
            ("authorization", authorization.as_str()),
            ("accept", accept),
        ];
        let path = format!("/v1/eks-token?cluster-name=demo{more}");
        self.sidecar.get(&path, &headers)
    }

    /// As it stands, and by what in it is worth as much.
    fn know_eks_token(&mut self, token: &str) {
        self.know("an EKS token", token);
        let encoded = token.strip_prefix("k8s-aws-v1.").expect("the prefix");
        let url = BASE64_URL_SAFE_NO_PAD.decode(encoded).expect("base64url");
        let url = String::from_utf8(url).expect("ASCII");
        let (_, signature) = url.rsplit_once("X-Amz-Signature=").expect("a signature");
        self.know("the signature of an EKS token", signature);
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

fn as_role(name: &str) -> String {
    format!("&role-arn={}", arn(name))
}
