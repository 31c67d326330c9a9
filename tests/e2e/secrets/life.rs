//! A sidecar's life: what it was trusted with, and everything that it said to those who may not know.

mod eks_tokens;

use std::path::PathBuf;

use emulator::{Fault, TokenRequest};

use crate::sidecar::{Answer, Pod, Sidecar, addresses, eventually, read, request};

const PROXY_PASSWORD: &str = "open-sesame-of-the-proxy-4711";
/// So many characters occur nowhere by chance.
const SHORTEST: usize = 16;
/// Messages of STS are cut in the log; a session token of this length would stand there whole.
const SHOWN_WHOLE: usize = 150;

/// A secret, and what it is called when it is found.
pub(super) struct Needle {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// A sidecar, its secrets, and its words.
pub(super) struct Life {
    pub(super) needles: Vec<Needle>,
    pub(super) haystack: String,
    pod: Pod,
    sidecar: Sidecar,
}

impl Life {
    /// Without credentials as yet: what fails first must not be covered by what was good before.
    pub(super) fn begin(level: &str, format: &str) -> Self {
        let pod = Pod::new();
        let sts = pod.emulator.sts();
        sts.fail(Fault::Throttle);
        sts.set_session_token_length(SHOWN_WHOLE);
        let (credentials, ops) = addresses();
        let launch = pod
            .serve()
            .env("IRSA_SIDECAR_LISTEN", credentials.to_string())
            .env("IRSA_SIDECAR_OPS_LISTEN", ops.to_string())
            .env("IRSA_SIDECAR_LOG_LEVEL", level)
            .env("IRSA_SIDECAR_LOG_FORMAT", format)
            // Not used on the way to loopback, but configured, and said at the start.
            .env(
                "HTTPS_PROXY",
                format!("http://squid:{PROXY_PASSWORD}@10.255.255.1:3128"),
            );
        let sidecar = Sidecar::spawn_at(launch.command(), credentials, ops);
        let mut life = Life {
            needles: Vec::new(),
            haystack: String::new(),
            pod,
            sidecar,
        };
        let token = read(&life.pod.volume.token_path());
        life.know_token(&token);
        life.know("the proxy's password", PROXY_PASSWORD);
        life.know("the authorization token", &life.authorization());
        life.know("the pod's UID", TokenRequest::default().pod_uid());
        life
    }

    /// Waits until the failure that it began with has repeated itself: that has a line of its own.
    pub(super) fn wait_for_a_repetition(&self) {
        let repeated =
            eventually(|| self.sidecar.metric("refreshes_total{result=\"wait\"}") >= 2.0);
        assert!(repeated, "{}", self.sidecar.log());
    }

    /// Swaps in a file made of a new token, lets STS answer so, and listens once the finding is there.
    pub(super) fn meet(
        &mut self,
        fault: impl FnOnce(&str) -> Fault,
        content: impl FnOnce(&str) -> Vec<u8>,
        finding: &str,
    ) {
        let token = self.token(&TokenRequest::default());
        // The last fault is replaced, never lifted: with credentials in hand a new token would hurry nothing.
        self.pod.emulator.sts().fail(fault(&token));
        self.pod
            .volume
            .rotate_bytes(&content(&token))
            .expect("a rotation");
        self.sidecar.wait_finding(finding);
        self.listen();
    }

    /// Health, and the proof that what is looked for elsewhere is what is given out here.
    pub(super) fn recover(&mut self) {
        self.pod.emulator.sts().clear_faults();
        let token = self.token(&TokenRequest::default());
        self.pod.volume.rotate(&token).expect("a rotation");
        self.sidecar.wait_ready();
        let answer = self.served();
        let issued = self.pod.emulator.sts().issued();
        let newest = issued.last().expect("something was issued");
        for secret in [
            &newest.access_key_id,
            &newest.secret_access_key,
            &newest.session_token,
        ] {
            assert!(answer.body.contains(secret.as_str()), "not what was served");
        }
        self.know_issued();
        self.listen();
    }

    /// A last rotation, and then the end.
    pub(super) fn end(&mut self) {
        let token = self.token(&TokenRequest::default());
        self.pod.volume.rotate(&token).expect("a rotation");
        self.sidecar.signal("TERM");
        let log = self.sidecar.whole_log();
        self.haystack.push_str(&log);
    }

    /// A token that is a secret from now on.
    pub(super) fn token(&mut self, request: &TokenRequest) -> String {
        let token = self.pod.emulator.issuer().token(request);
        self.know_token(&token);
        token
    }

    fn know_token(&mut self, token: &str) {
        self.know("a web identity token", token);
        for part in token.split('.') {
            self.know("a part of a web identity token", part);
        }
    }

    fn served(&self) -> Answer {
        let authorization = self.authorization();
        self.sidecar
            .get("/v1/credentials", &[("authorization", &authorization)])
    }

    fn know_issued(&mut self) {
        for one in self.pod.emulator.sts().issued() {
            self.know("an access key id", &one.access_key_id);
            self.know("a secret access key", &one.secret_access_key);
            self.know("a session token", &one.session_token);
        }
    }

    /// Remembered by its longest piece that looks the same in JSON, in a URL and in XML.
    fn know(&mut self, name: &'static str, secret: &str) {
        let pieces = secret.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        let text = pieces
            .max_by_key(|piece| piece.len())
            .unwrap_or_default()
            .to_owned();
        assert!(
            text.len() >= SHORTEST,
            "{name} is too short to look for: {text:?}"
        );
        self.needles.push(Needle { name, text });
    }

    fn authorization(&self) -> String {
        read(&self.pod.path("authorization-token"))
    }

    /// Shows it secrets in every place where they may come back, and notes all that it says without giving any out.
    fn listen(&mut self) {
        let right = self.authorization();
        let almost = format!("{right}x");
        let door = |method, path: &str, headers: &[(&str, &str)]| {
            request(self.sidecar.credentials, method, path, headers)
        };
        let get = |headers: &[(&str, &str)]| door("GET", "/v1/credentials", headers);
        let answers = [
            get(&[]),
            get(&[("authorization", &almost)]),
            get(&[("authorization", &format!("Bearer {almost}"))]),
            get(&[("authorization", &right), ("x-forwarded-for", &right)]),
            get(&[("authorization", &right), ("host", &right)]),
            door("GET", &format!("/v2/credentials/{almost}"), &[]),
            door("POST", &format!("/v2/credentials/{right}"), &[]),
            door("GET", &format!("/v1/credentials/{right}"), &[]),
            door("PUT", "/v1/credentials", &[("authorization", &right)]),
            door("POST", "/v1/shutdown", &[("authorization", &almost)]),
        ];
        assert!(
            answers.iter().all(|answer| answer.status >= 400),
            "{answers:?}"
        );
        let served = get(&[("authorization", &right)]);
        let without_credentials = (served.status != 200).then_some(served);
        let ops = ["/livez", "/readyz", "/startupz", "/metrics", "/nothing"]
            .map(|path| request(self.sidecar.ops, "GET", path, &[("authorization", &right)]));
        let said: Vec<Answer> = answers
            .into_iter()
            .chain(without_credentials)
            .chain(ops)
            .collect();
        self.haystack.push_str(&format!("{said:?}\n"));
        let command_line = PathBuf::from(format!("/proc/{}/cmdline", self.sidecar.id()));
        self.haystack.push_str(&read(&command_line));
    }
}
