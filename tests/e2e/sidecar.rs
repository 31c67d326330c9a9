//! The program under test: spawned as a user would, watched through its log and its doors.

// Named, since other tests take this file by its path.
#[path = "sidecar/launch.rs"]
mod launch;
#[path = "sidecar/wire.rs"]
mod wire;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use emulator::{Call, Emulator, ROLE_ARN, TokenRequest, Volume};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

pub use self::launch::{Finished, Launch};
pub use self::wire::{Answer, Connection, connect, exchange, get_head, read_answer, request};

/// How long anything may take that is not under test. Never slept through: waits end when what they wait for is there.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// For a credentials door and an ops door that have to be known before they are open, or after they are closed. No two
/// sidecars of this machine share them; 127/8 is all loopback, and the ports are not those of one that listens on all addresses.
pub fn addresses() -> (SocketAddr, SocketAddr) {
    static NEXT: AtomicU8 = AtomicU8::new(100);
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low);
    ((address, 9912).into(), (address, 9913).into())
}

/// Where nothing listens: tcpmux, which nobody runs.
pub const NOBODY: &str = "127.0.0.1:1";

/// A pod's worth of surroundings: emulator, projected volume, and a place for files.
pub struct Pod {
    pub emulator: Emulator,
    pub request: TokenRequest,
    pub volume: Volume,
    pub dir: TempDir,
}

impl Pod {
    /// With the token that the emulator's role trusts.
    pub fn new() -> Self {
        Pod::with(TokenRequest::default())
    }

    /// With any other token.
    pub fn with(request: TokenRequest) -> Self {
        let emulator = Emulator::start();
        let dir = tempfile::tempdir().expect("a temporary directory");
        let token = emulator.issuer().token(&request);
        let volume = Volume::create(&dir.path().join("token-volume"), &token).expect("a volume");
        Pod {
            emulator,
            request,
            volume,
            dir,
        }
    }

    /// A new token of the same kind, swapped in as the kubelet does it.
    pub fn rotate(&self) {
        let token = self.emulator.issuer().token(&self.request);
        self.volume.rotate(&token).expect("a rotation");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `serve` as in a pod, not started yet; doors on free ports.
    pub fn serve(&self) -> Launch {
        Launch::new(["serve"])
            .env("AWS_ROLE_ARN", ROLE_ARN)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", self.volume.token_path())
            .env("AWS_ENDPOINT_URL_STS", self.emulator.url())
            .env("IRSA_SIDECAR_LISTEN", "127.0.0.1:0")
            .env("IRSA_SIDECAR_OPS_LISTEN", "127.0.0.1:0")
            .env(
                "IRSA_SIDECAR_AUTHORIZATION_TOKEN_FILE",
                self.path("authorization-token"),
            )
    }

    /// A subcommand where no sidecar runs, with all that it needs to do without.
    pub fn alone<A: Into<OsString>>(&self, arguments: impl IntoIterator<Item = A>) -> Launch {
        self.serve()
            .with_arguments(arguments)
            .env("IRSA_SIDECAR_LISTEN", NOBODY)
    }

    /// A subcommand in the app's container, which knows where the sidecar is and nothing else.
    pub fn beside<A: Into<OsString>>(
        &self,
        sidecar: &Sidecar,
        arguments: impl IntoIterator<Item = A>,
    ) -> Launch {
        let secret = self.request.pod_uid();
        let uri = format!("http://{}/v2/credentials/{secret}", sidecar.credentials);
        Launch::new(arguments).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
    }

    /// The calls by which a token reached STS, whatever became of them.
    pub fn exchange_calls(&self) -> Vec<Call> {
        let mut calls = self.emulator.sts().calls();
        calls.retain(|call| call.action == "AssumeRoleWithWebIdentity");
        calls
    }

    /// `serve`, listening.
    pub fn sidecar(&self) -> Sidecar {
        self.serve().start()
    }

    /// `serve`, ready.
    pub fn ready_sidecar(&self) -> Sidecar {
        let sidecar = self.sidecar();
        sidecar.wait_ready();
        sidecar
    }
}

/// A running sidecar; killed when dropped.
pub struct Sidecar {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    pub credentials: SocketAddr,
    pub ops: SocketAddr,
}

impl Sidecar {
    pub fn spawn(command: Command) -> Self {
        let mut sidecar = Sidecar::unlocated(command);
        sidecar.credentials = sidecar.listening("credentials");
        sidecar.ops = sidecar.listening("ops");
        sidecar
    }

    /// Where the log does not say what doors are open: in text, or at a level that leaves it out. The doors are on
    /// these addresses by configuration.
    pub fn spawn_at(command: Command, credentials: SocketAddr, ops: SocketAddr) -> Self {
        let mut sidecar = Sidecar::unlocated(command);
        (sidecar.credentials, sidecar.ops) = (credentials, ops);
        let is_open = |door| TcpStream::connect(door).is_ok();
        let open = eventually(|| is_open(credentials) && is_open(ops));
        assert!(open, "nothing listens; the log:\n{}", sidecar.log());
        sidecar
    }

    /// Any command whose words are of interest while it runs.
    pub fn unlocated(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().expect("a pipe");
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = sink.lock().expect("the log");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let unknown: SocketAddr = ([0, 0, 0, 0], 0).into();
        Sidecar {
            child,
            log,
            reader: Some(reader),
            credentials: unknown,
            ops: unknown,
        }
    }

    fn listening(&self, door: &str) -> SocketAddr {
        let event = self.wait_event("listening", |event| {
            event["message"] == "listening" && event["door"] == door
        });
        let address = event["address"].as_str().expect("an address");
        address.parse().expect("an address")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Everything that was ever logged, of a process that has ended.
    pub fn whole_log(&mut self) -> String {
        self.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the log was read to its end");
        }
        self.log()
    }

    /// The events logged so far; lines that are no JSON are left out.
    pub fn events(&self) -> Vec<Value> {
        let log = self.log();
        log.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Waits for an event; `what` names it when it does not come.
    pub fn wait_event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        let came = eventually(|| {
            found = self.events().into_iter().find(|event| wanted(event));
            found.is_some()
        });
        assert!(came, "no event {what:?} in the log:\n{}", self.log());
        found.expect("it came")
    }

    pub fn wait_message(&self, message: &str) -> Value {
        self.wait_event(message, |event| event["message"] == message)
    }

    /// Waits until `/readyz` says 200.
    pub fn wait_ready(&self) {
        let ready = eventually(|| self.ops_get("/readyz").status == 200);
        assert!(ready, "not ready; its log:\n{}", self.log());
    }

    /// Waits until `/readyz` names this finding.
    pub fn wait_finding(&self, finding: &str) {
        let mut last = Value::Null;
        let came = eventually(|| {
            last = self.ops_get("/readyz").json();
            last["finding"] == finding
        });
        assert!(
            came,
            "/readyz says {last}, not {finding}; the log:\n{}",
            self.log()
        );
    }

    /// `GET path` on the credentials door with these headers, Host included by itself.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        request(self.credentials, "GET", path, headers)
    }

    /// `GET /v1/credentials` with the pod's UID as authorization.
    pub fn get_credentials(&self, pod: &Pod) -> Answer {
        self.get(
            "/v1/credentials",
            &[("authorization", pod.request.pod_uid())],
        )
    }

    /// The value of one series of `/metrics`, named as it stands there without the program's prefix.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.ops_get("/metrics").body;
        let value = text.lines().find_map(|line| {
            let rest = line.strip_prefix("irsa_sidecar_")?.strip_prefix(series)?;
            rest.strip_prefix(' ')?.parse().ok()
        });
        value.unwrap_or_else(|| panic!("no series {series} in\n{text}"))
    }

    pub fn ops_get(&self, path: &str) -> Answer {
        request(self.ops, "GET", path, &[])
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let ended = eventually(|| {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        assert!(ended, "still running; its log:\n{}", self.log());
        status.expect("it ended")
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The machine's clock, for comparisons with what is served.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no other clock than the machine's"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Looks again and again until it is so, or patience is at an end.
pub fn eventually(so: impl FnMut() -> bool) -> bool {
    eventually_within(PATIENCE, so)
}

pub fn eventually_within(patience: Duration, mut so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if so() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn is_root() -> bool {
    let us = read("/proc/self/status".as_ref());
    us.lines().any(|line| line.starts_with("Uid:\t0\t"))
}

/// The content of a file, for comparisons.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
