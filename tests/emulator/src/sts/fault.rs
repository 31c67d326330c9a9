//! What can go wrong on the way to STS and back, on request.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::error::StsError;

/// One way for a request to fail, or to be answered strangely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The right answer, this much later.
    Latency(Duration),
    /// No answer, ever; the connection stays open.
    Hang,
    /// The request is read, then the connection is reset.
    Reset,
    /// This error.
    Error {
        /// HTTP status.
        status: u16,
        /// `Code` of the error.
        code: String,
        /// `Message` of the error.
        message: String,
    },
    /// 400 `Throttling`.
    Throttle,
    /// This status, with the HTML page of a load balancer.
    ServerError(u16),
    /// 200 with a body that is no answer, as from a captive proxy.
    Garbage,
    /// 200, well-formed, all credentials empty. Only where there are any in the answer.
    EmptyCredentials,
    /// Credentials that expired an hour ago. Only where there are any in the answer.
    ExpiredCredentials,
    /// STS could not fetch the issuer's keys. Only for `AssumeRoleWithWebIdentity`.
    VerificationKey,
    /// `IDPCommunicationError`. Only for `AssumeRoleWithWebIdentity`.
    IdpCommunication,
    /// Connections are accepted and closed at once.
    Down,
    /// The right answer without its `Date` header.
    NoDate,
}

impl Fault {
    /// The error of this code with its real status and its usual message.
    pub fn error(code: &str) -> Self {
        let StsError {
            status,
            code,
            message,
        } = StsError::usual(code);
        Self::Error {
            status,
            code,
            message,
        }
    }

    /// As it stands in `Call::result` and on the control door.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Error { .. } => "error",
            Self::Throttle => "throttle",
            Self::ServerError(_) => "server-error",
            Self::Garbage => "garbage",
            Self::EmptyCredentials => "empty-credentials",
            Self::ExpiredCredentials => "expired-credentials",
            Self::VerificationKey => "verification-key",
            Self::IdpCommunication => "idp-communication",
            Self::Down => "down",
            Self::NoDate => "no-date",
        }
    }

    /// Some faults have no meaning for requests that bring no token, or ask for no credentials.
    fn concerns(&self, action: &str) -> bool {
        match self {
            Self::VerificationKey | Self::IdpCommunication => action == "AssumeRoleWithWebIdentity",
            Self::EmptyCredentials | Self::ExpiredCredentials => {
                matches!(action, "AssumeRole" | "AssumeRoleWithWebIdentity")
            }
            _ => true,
        }
    }
}

/// The faults in force: first that of the action, then those that are counted, in the order given,
/// then the lasting one.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    of_actions: HashMap<String, Fault>,
    counted: VecDeque<(u32, Fault)>,
    lasting: Option<Fault>,
}

impl Faults {
    pub(crate) fn next(&mut self, times: u32, fault: Fault) {
        if times > 0 {
            self.counted.push_back((times, fault));
        }
    }

    pub(crate) fn last(&mut self, fault: Fault) {
        self.lasting = Some(fault);
    }

    pub(crate) fn of_action(&mut self, action: &str, fault: Fault) {
        self.of_actions.insert(action.to_owned(), fault);
    }

    /// The fault for a request; one that does not concern its action waits for one that it does.
    pub(crate) fn take(&mut self, action: &str) -> Option<Fault> {
        if let Some(fault) = self.of_actions.get(action) {
            return Some(fault.clone());
        }
        self.take_if(|fault| fault.concerns(action))
    }

    /// Whether a connection that has just come in is to be closed at once.
    pub(super) fn take_down(&mut self) -> bool {
        self.take_if(|fault| *fault == Fault::Down).is_some()
    }

    fn take_if(&mut self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let Some((times, fault)) = self.counted.front_mut() else {
            return self.lasting.clone().filter(wanted);
        };
        if !wanted(fault) {
            return None;
        }
        *times -= 1;
        let taken = fault.clone();
        if *times == 0 {
            self.counted.pop_front();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_faults_come_in_their_order_and_before_the_lasting_one() {
        let mut faults = Faults::default();
        faults.last(Fault::Hang);
        faults.next(2, Fault::Throttle);
        faults.next(0, Fault::Garbage);
        faults.next(1, Fault::Reset);
        let taken: Vec<_> = (0..5).map(|_| faults.take("").unwrap().name()).collect();
        assert_eq!(taken, ["throttle", "throttle", "reset", "hang", "hang"]);
    }

    #[test]
    fn a_fault_of_the_exchange_waits_for_an_exchange() {
        let mut faults = Faults::default();
        faults.next(1, Fault::IdpCommunication);
        assert_eq!(faults.take("GetCallerIdentity"), None);
        assert!(!faults.take_down());
        assert_eq!(
            faults.take("AssumeRoleWithWebIdentity"),
            Some(Fault::IdpCommunication)
        );
    }

    #[test]
    fn a_fault_of_an_action_leaves_the_others_alone() {
        let mut faults = Faults::default();
        faults.of_action("AssumeRole", Fault::Throttle);
        assert_eq!(faults.take("AssumeRoleWithWebIdentity"), None);
        assert_eq!(faults.take("AssumeRole"), Some(Fault::Throttle));
        assert_eq!(faults.take("AssumeRole"), Some(Fault::Throttle));
    }

    #[test]
    fn an_error_fault_has_the_status_and_words_of_its_code() {
        let Fault::Error {
            status, message, ..
        } = Fault::error("AccessDenied")
        else {
            panic!("not an error");
        };
        assert_eq!(status, 403);
        assert_eq!(
            message,
            "Not authorized to perform sts:AssumeRoleWithWebIdentity"
        );
    }
}
