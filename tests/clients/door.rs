//! The doors, and what a client's environment has to say for each.

use std::ffi::OsString;

use crate::surroundings::Surroundings;

/// How a client comes to its credentials; each has a letter in the rows and in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// F: `AWS_CONTAINER_CREDENTIALS_FULL_URI` with the pod's UID in its path.
    FullUri,
    /// T: `AWS_CONTAINER_CREDENTIALS_FULL_URI` and an authorization token file.
    TokenFile,
    /// R: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`.
    RelativeUri,
    /// L: EKS Pod Identity's address and an authorization token file.
    PodIdentity,
    /// I: instance metadata at its own address.
    Imds,
    /// E: instance metadata at `AWS_EC2_METADATA_SERVICE_ENDPOINT`.
    ImdsEndpoint,
    /// P: `credential_process`.
    CredentialProcess,
    /// C: the shared credentials file.
    CredentialsFile,
}

use Door::{
    CredentialProcess, CredentialsFile, FullUri, Imds, ImdsEndpoint, PodIdentity, RelativeUri,
    TokenFile,
};

/// In the order of the table's columns.
pub const DOORS: [Door; 8] = [
    FullUri,
    TokenFile,
    RelativeUri,
    PodIdentity,
    Imds,
    ImdsEndpoint,
    CredentialProcess,
    CredentialsFile,
];

impl Door {
    pub fn letter(self) -> char {
        match self {
            FullUri => 'F',
            TokenFile => 'T',
            RelativeUri => 'R',
            PodIdentity => 'L',
            Imds => 'I',
            ImdsEndpoint => 'E',
            CredentialProcess => 'P',
            CredentialsFile => 'C',
        }
    }

    /// Those of these letters.
    pub fn of(letters: &str) -> Vec<Door> {
        let unknown = |letter: &char| !DOORS.iter().any(|door| door.letter() == *letter);
        assert!(
            !letters.chars().any(|letter| unknown(&letter)),
            "no door for one of {letters:?}"
        );
        DOORS
            .into_iter()
            .filter(|door| letters.contains(door.letter()))
            .collect()
    }

    /// The variables that an app's container would get for it.
    pub fn environment(self, around: &Surroundings) -> Vec<(&'static str, OsString)> {
        const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        // What the SDK for Java 1.x calls the credentials file, and the only place where it looks for a process.
        const JAVA_V1: &str = "AWS_CREDENTIAL_PROFILES_FILE";
        const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
        let no_metadata = ("AWS_EC2_METADATA_DISABLED", "true".into());
        let token_file = || around.pod.path("authorization-token").into();
        match self {
            FullUri => {
                let uid = around.pod.request.pod_uid();
                vec![
                    (
                        FULL,
                        format!("http://127.0.0.1:9910/v2/credentials/{uid}").into(),
                    ),
                    no_metadata,
                ]
            }
            TokenFile => vec![
                (FULL, "http://127.0.0.1:9910/v1/credentials".into()),
                (TOKEN_FILE, token_file()),
                no_metadata,
            ],
            RelativeUri => vec![
                (
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "/v1/credentials".into(),
                ),
                no_metadata,
            ],
            PodIdentity => vec![
                (FULL, "http://169.254.170.23/v1/credentials".into()),
                (TOKEN_FILE, token_file()),
                no_metadata,
            ],
            Imds => vec![],
            ImdsEndpoint => vec![(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                "http://127.0.0.1:1338/".into(),
            )],
            CredentialProcess => vec![
                ("AWS_CONFIG_FILE", around.config_with_process().into()),
                (JAVA_V1, around.config_with_process().into()),
                ("AWS_SDK_LOAD_CONFIG", "1".into()),
                no_metadata,
            ],
            CredentialsFile => vec![
                (
                    "AWS_SHARED_CREDENTIALS_FILE",
                    around.pod.path("output/credentials").into(),
                ),
                (JAVA_V1, around.pod.path("output/credentials").into()),
                // Without it the SDK for JavaScript v2 does not look at the variable above, and with it the file of the
                // next one has to be there.
                ("AWS_SDK_LOAD_CONFIG", "1".into()),
                ("AWS_CONFIG_FILE", around.config().into()),
                no_metadata,
            ],
        }
    }
}
