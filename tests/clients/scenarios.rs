//! What every row goes through by every door that it knows.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::door::Door;
use crate::driver::Driver;
use crate::outcome::{Outcome, Refresh};
use crate::row::{Ecosystem, Row};
use crate::sidecar::{PATIENCE, eventually_within};
use crate::surroundings::Surroundings;

/// Between two questions to a client that has the same credentials still.
const PAUSE: Duration = Duration::from_millis(400);

/// A client that was refused this often, with newer credentials to be had, will not look for them.
const REFUSALS: usize = 3;

/// All doors of a row at once, in a namespace of its own.
pub fn run(ecosystem: &Ecosystem, row: &Row) -> Vec<Outcome> {
    let doors = Door::of(row.doors);
    let broken = Surroundings::broken(row);
    let unavailable = each(&doors, |door| unavailable(ecosystem, row, door, &broken));
    drop(broken);
    let sound = Surroundings::sound(row);
    // One client asks at a time: so the emulator's record says whose call was whose, and few start at once.
    let turn = Mutex::new(());
    let refresh = each(&doors, |door| refresh(ecosystem, row, door, &sound, &turn));
    let mut outcomes = Vec::new();
    for ((door, unavailable), refresh) in doors.into_iter().zip(unavailable).zip(refresh) {
        let forbidden = (door == Door::TokenFile).then(|| forbidden(ecosystem, row, door, &sound));
        outcomes.push(Outcome {
            door,
            refresh,
            unavailable,
            forbidden,
        });
    }
    outcomes
}

fn each<T: Send>(doors: &[Door], run: impl Fn(Door) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let running: Vec<_> = doors
            .iter()
            .map(|door| scope.spawn(|| run(*door)))
            .collect();
        let ended = running.into_iter().map(|one| one.join());
        // The panic has been printed; what is left is to fail.
        ended.map(|one| one.expect("the scenario holds")).collect()
    })
}

fn unavailable(ecosystem: &Ecosystem, row: &Row, door: Door, around: &Surroundings) -> String {
    let answer = Driver::start(ecosystem, row, door, around, &[]).identity();
    let error = answer.expect_err("an error: the sidecar has no credentials");
    around.masked(&error, &ecosystem.home(row))
}

fn forbidden(ecosystem: &Ecosystem, row: &Row, door: Door, around: &Surroundings) -> String {
    let wrong = around.written("wrong-token", "not-the-authorization-token");
    let wrong = wrong.to_str().expect("a path of ours");
    let change = [("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", wrong)];
    let answer = Driver::start(ecosystem, row, door, around, &change).identity();
    let error = answer.expect_err("an error: the authorization is wrong");
    around.masked(&error, &ecosystem.home(row))
}

/// Identity, and then again until newer credentials sign, or until it is clear that they never will.
fn refresh(
    ecosystem: &Ecosystem,
    row: &Row,
    door: Door,
    around: &Surroundings,
    turn: &Mutex<()>,
) -> Refresh {
    let mut driver = Driver::start(ecosystem, row, door, around, &[]);
    let name = format!("{} by {door:?}", row.name);
    let first = match asked(&mut driver, around, turn) {
        Ok(signed) => signed,
        Err(error) => panic!(
            "{name} does not find out who it is:\n{error}\n{}",
            around.log(door)
        ),
    };
    if row.asks_at_intervals.contains(door.letter()) {
        return Refresh::AtIntervals;
    }
    // Before that nothing can change, and some drivers start a program for every question.
    let newer = eventually_within(row.session, || around.served_key(door) != first.key);
    assert!(newer, "the sidecar does not refresh:\n{}", around.log(door));
    if row.extends_expiry.contains(door.letter()) {
        driver.later(601);
    }
    // These say nothing of when to come again.
    let may_be_refused = matches!(door, Door::CredentialProcess | Door::CredentialsFile);
    let (mut refusals, end) = (0, Instant::now() + 2 * row.session + PATIENCE);
    loop {
        assert!(
            Instant::now() < end,
            "{name}: neither newer credentials nor an end of the old ones"
        );
        match asked(&mut driver, around, turn) {
            Ok(signed) if signed.key == first.key => std::thread::sleep(PAUSE),
            Ok(signed) if refusals == 0 && !signed.after_refusal => return Refresh::InTime,
            Ok(_) => {
                assert!(may_be_refused, "{name} was refused");
                return Refresh::AfterRefusal;
            }
            Err(error) => {
                assert!(
                    may_be_refused,
                    "{name} stopped working:\n{error}\n{}",
                    around.log(door)
                );
                refusals += 1;
                if refusals == REFUSALS {
                    return Refresh::Never;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// A call that was answered.
struct Signed {
    /// The key that signed, and signed well.
    key: String,
    /// The client was refused first, and then tried something else by itself.
    after_refusal: bool,
}

fn asked(driver: &mut Driver, around: &Surroundings, turn: &Mutex<()>) -> Result<Signed, String> {
    // Another scenario's panic is its own.
    let _turn = turn.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let before = around.signed().len();
    driver.identity()?;
    let signed = around.signed().split_off(before);
    let last = signed
        .last()
        .expect("a client that says ok has made a signed call");
    assert_eq!(
        last.result, "Success",
        "the client is content with {last:?}"
    );
    Ok(Signed {
        key: last.access_key_id.clone().expect("signed"),
        after_refusal: signed.iter().any(|call| call.result != "Success"),
    })
}
