//! `get-token`: the exec credential plugin.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::exec_info::{self, api_version};
use super::{Environment, Failure, Output, alone, sidecar, variable};
use crate::clock::Clock;
use crate::config::{self, FlagsOf, GetToken};
use crate::eks_token::{self, ApiVersion, exec_credential};
use crate::outputs::container_credentials::EKS_TOKEN;
use crate::outputs::eks_tokens::parameter;
use crate::telemetry;

/// An ExecCredential.
pub async fn run(asked: GetToken, environment: Environment) -> Result<Output, Failure> {
    let info = variable(&environment, exec_info::VARIABLE).map(|info| info.to_string_lossy());
    let (api_version, warning) = api_version(info.as_deref());
    let running = config::running(asked.flags.clone(), environment.clone())?;
    let region = match &asked.region {
        Some(region) => Some(region.as_str().to_owned()),
        None => running.region.clone(),
    };
    let target = target(&asked, region.as_deref(), api_version);
    let product = match sidecar::get(&running, &target).await? {
        Some(answer) => checked(&answer)?,
        None => {
            let address = running.address;
            by_itself(asked, environment, api_version)
                .await
                .map_err(|failure| failure.where_none_runs(address))?
        }
    };
    Ok(Output {
        words: warning.into_iter().collect(),
        ..Output::of(product)
    })
}

async fn by_itself(
    asked: GetToken,
    environment: Environment,
    api_version: ApiVersion,
) -> Result<Vec<u8>, Failure> {
    let (walk, log) = config::walk(asked.flags, environment, FlagsOf::Cluster)?;
    telemetry::init(log);
    let region = match asked.region {
        Some(region) => region,
        None => walk.sts.region.parse().map_err(|error| {
            Failure::Configuration(format!("region: {error}; set --region, or AWS_REGION"))
        })?,
    };
    let clock = Clock::system();
    let credentials = alone::credentials(&walk, asked.role.as_ref(), &clock).await?;
    let token = eks_token::mint(
        &credentials,
        &region,
        &asked.cluster,
        walk.sts.use_fips,
        clock.now(),
        clock.local(),
    )
    .map_err(|error| error.diagnosis())?;
    Ok(exec_credential(&token, api_version).to_vec())
}

fn target(asked: &GetToken, region: Option<&str>, api_version: ApiVersion) -> String {
    use parameter::{API_VERSION, CLUSTER_NAME, REGION, ROLE_ARN};
    let mut target = String::from(EKS_TOKEN);
    let mut push = |separator: char, name: &str, value: &str| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        target.push_str(&format!("{separator}{name}={value}"));
    };
    push('?', CLUSTER_NAME, asked.cluster.as_str());
    push('&', API_VERSION, api_version.as_str());
    if let Some(region) = region {
        push('&', REGION, region);
    }
    if let Some(role) = &asked.role {
        push('&', ROLE_ARN, role.as_str());
    }
    target
}

/// kubectl's own words about a plugin that prints something else help nobody.
fn checked(answer: &[u8]) -> Result<Vec<u8>, Failure> {
    let document: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    let token = document
        .as_ref()
        .and_then(|document| document["status"]["token"].as_str());
    match token {
        Some(token) if token.starts_with(eks_token::PREFIX) => Ok(answer.to_vec()),
        _ => Err(Failure::Failed(
            "what listens at the sidecar's address answered 200 with no ExecCredential; see what it is, and the variable AWS_CONTAINER_CREDENTIALS_FULL_URI".into(),
        )),
    }
}
