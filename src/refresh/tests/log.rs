//! What is warned of: once per transition, in the words of `doctor`.

use tracing::subscriber::DefaultGuard;

use super::*;

/// What is logged on this thread, which is all of a test's under virtual time.
pub(super) struct Log {
    lines: Lines,
    _while: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(super) fn of_this_thread() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(move || writer.clone())
            .finish();
        Log {
            lines,
            _while: tracing::subscriber::set_default(subscriber),
        }
    }

    /// How often this was warned of.
    pub(super) fn warnings(&self, finding: Finding) -> usize {
        let bytes = self.lines.0.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        events
            .filter(|event| event["level"] == "WARN" && event["fields"]["finding"] == finding.id)
            .count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_warned_of_once_until_it_is_right_again() {
    let log = Log::of_this_thread();
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
    let rig = Rig::start_in(world, dir, [], HOUR, 7);
    let warnings = || log.warnings(findings::CLOCK_WRONG);
    for (ahead, expected) in [(0, 0), (50, 0), (600, 1), (-600, 1), (0, 1), (-90, 2)] {
        rig.world.step_node(ahead);
        sleep(3 * HOUR).await;
        assert_eq!(warnings(), expected, "{ahead} s off");
    }
}

#[tokio::test(start_paused = true)]
async fn blanks_around_the_token_are_warned_of_once_until_they_are_gone() {
    let log = Log::of_this_thread();
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
    let rig = Rig::start_in(world, dir, [], HOUR, 7);
    let warnings = || log.warnings(findings::TOKEN_BLANKS);
    for (behind, expected) in [("", 0), ("\n", 1), ("\n\n", 1), ("", 1), ("\n", 2)] {
        write_token(rig.dir.path(), rig.world.sts_time(), "sts.amazonaws.com");
        let token = rig.dir.path().join("token");
        let text = fs::read_to_string(&token).unwrap();
        fs::write(&token, format!("{text}{behind}")).unwrap();
        sleep(2 * HOUR).await;
        assert_eq!(warnings(), expected, "{behind:?}");
        assert!(rig.serves());
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_should_have_been_rotated_long_ago_is_warned_of_once() {
    let log = Log::of_this_thread();
    let world = World::new();
    let dir = tempfile::tempdir().unwrap();
    write_token(dir.path(), world.sts_time(), "sts.amazonaws.com");
    // As kubelets mount it: what is no link never rotates.
    fs::rename(dir.path().join("token"), dir.path().join("data")).unwrap();
    std::os::unix::fs::symlink("data", dir.path().join("token")).unwrap();
    // Until STS says what time it is, the token looks old.
    world.step_node(84_000);
    let rig = Rig::start_in(world, dir, [Act::Down], HOUR, 7);
    sleep(SECOND).await;
    rig.world.step_node(0);
    let warnings = || log.warnings(findings::TOKEN_ROTATION_LATE);
    for (hours, expected) in [(19, 0), (3, 1), (1, 1)] {
        sleep(hours * HOUR).await;
        assert_eq!(warnings(), expected, "after {hours} h more");
    }
}

#[tokio::test(start_paused = true)]
async fn another_role_in_aws_role_arn_is_warned_of_once_for_each_role_that_is_read() {
    let log = Log::of_this_thread();
    let account = Account::new();
    account.role("one");
    let _rig = Rig::annotated(&account, Some("frozen"));
    for (role, expected) in [("one", 1), ("two", 2), ("frozen", 2), ("one", 3)] {
        account.role(role);
        sleep(HOUR).await;
        let warnings = log.warnings(findings::ROLE_ANNOTATION_STALE);
        assert_eq!(warnings, expected, "{role}");
    }
}
