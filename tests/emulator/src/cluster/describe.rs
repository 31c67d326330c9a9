//! EKS's DescribeCluster: `GET /clusters/NAME`, signed.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_DescribeCluster.html>

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::registry::Clusters;
use super::{ACCOUNT, Cluster};
use crate::door::Cut;
use crate::form;
use crate::sts::{AwsRequest, Caller, Fault, Sts, StsError};
use crate::{clock, random};

const SERVICE: &str = "eks";
const ACTION: &str = "DescribeCluster";
const PATH: &str = "/clusters/";
/// 2025-01-02T03:04:05Z; EKS writes it as a number.
const CREATED_AT: f64 = 1_735_787_045.0;

/// Whether a request on the doors of AWS is for EKS.
pub(crate) fn is_for_eks(path: &str) -> bool {
    path == "/clusters" || path.starts_with(PATH)
}

/// Answers a request, or does to it what the fault in force demands.
pub(crate) async fn describe(
    sts: Sts,
    clusters: Clusters,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let request = AwsRequest::read(request).await.ok_or(Cut::Close)?;
    let name = form::decode_segment(request.path.strip_prefix(PATH).unwrap_or_default());
    let named = clusters.named(&name);
    let fault = named
        .as_ref()
        .and_then(|cluster| cluster.state().describe_faults.take(ACTION));
    let outcome = match &fault {
        Some(Fault::Throttle) => Err(Failure::new(400, "ThrottlingException", "Rate exceeded")),
        Some(Fault::Error {
            status,
            code,
            message,
        }) => Err(Failure::new(*status, code, message)),
        _ => answer(&sts, &clusters, &name, &request),
    };
    // Recorded before the first pause: a client that hangs up during it was here.
    if let Some(cluster) = named {
        let result = result(fault.as_ref(), &outcome).to_owned();
        cluster.state().describes.push(result);
    }
    let date = clock::http_date(sts.now());
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Reset) => Err(Cut::Reset),
        Some(Fault::Down) => Err(Cut::Close),
        Some(Fault::Latency(latency)) => {
            tokio::time::sleep(latency).await;
            Ok(into_response(outcome, Some(date)))
        }
        Some(Fault::ServerError(status)) => Ok(html(status)),
        Some(Fault::Garbage) => Ok(html(200)),
        Some(Fault::NoDate) => Ok(into_response(outcome, None)),
        _ => Ok(into_response(outcome, Some(date))),
    }
}

/// How a request is remembered: by its answer, or by the fault that took the answer's place.
fn result<'a>(fault: Option<&'a Fault>, outcome: &'a Result<Value, Failure>) -> &'a str {
    match (fault, outcome) {
        (
            Some(
                fault @ (Fault::Hang
                | Fault::Reset
                | Fault::Down
                | Fault::ServerError(_)
                | Fault::Garbage),
            ),
            _,
        ) => fault.name(),
        (_, Ok(_)) => "Success",
        (_, Err(failure)) => &failure.code,
    }
}

/// An error of EKS.
#[derive(Debug)]
struct Failure {
    status: u16,
    code: String,
    message: String,
}

impl Failure {
    fn new(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
        }
    }

    /// What is wrong with a signature goes by other names where answers are JSON.
    fn unsigned(error: &StsError) -> Self {
        let code = match error.code.as_str() {
            "SignatureDoesNotMatch" => "InvalidSignatureException",
            "InvalidClientTokenId" => "UnrecognizedClientException",
            "ExpiredToken" => "ExpiredTokenException",
            "MissingAuthenticationToken" => "MissingAuthenticationTokenException",
            "IncompleteSignature" => "IncompleteSignatureException",
            other => other,
        };
        Self::new(403, code, &error.message)
    }
}

fn answer(
    sts: &Sts,
    clusters: &Clusters,
    name: &str,
    request: &AwsRequest,
) -> Result<Value, Failure> {
    let caller = sts
        .caller(request, SERVICE)
        .map_err(|error| Failure::unsigned(&error))?;
    if request.method != Method::GET || name.is_empty() || name.contains('/') {
        return Err(Failure::new(404, "UnknownOperationException", ""));
    }
    // Another account and another region have clusters of their own.
    let found = clusters
        .find(name, &caller.region)
        .filter(|_| caller.account == ACCOUNT);
    let cluster = found.ok_or_else(|| {
        let message = format!("No cluster found for name: {name}.");
        Failure::new(404, "ResourceNotFoundException", &message)
    })?;
    cluster.check_permission(&caller)?;
    Ok(json!({ "cluster": cluster.description() }))
}

impl Cluster {
    fn check_permission(&self, caller: &Caller) -> Result<(), Failure> {
        if !self.state().may_not_describe.contains(&caller.role_arn) {
            return Ok(());
        }
        let (who, what) = (&caller.arn, self.arn());
        let message = format!(
            "User: {who} is not authorized to perform: eks:DescribeCluster on resource: {what}"
        );
        Err(Failure::new(403, "AccessDeniedException", &message))
    }

    fn description(&self) -> Value {
        let state = self.state();
        let mut description = json!({
            "name": self.name(),
            "arn": self.arn(),
            "createdAt": CREATED_AT,
            "version": "1.32",
            "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/eks-cluster"),
            "resourcesVpcConfig": {
                "subnetIds": [],
                "securityGroupIds": [],
                "vpcId": "vpc-0123456789abcdef0",
                "endpointPublicAccess": true,
                "endpointPrivateAccess": true,
                "publicAccessCidrs": ["0.0.0.0/0"],
            },
            "kubernetesNetworkConfig": { "serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4" },
            "status": state.status,
            "platformVersion": "eks.1",
            "tags": {},
            "accessConfig": {
                "authenticationMode": state.mapping.mode.name(),
                "bootstrapClusterCreatorAdminPermissions": true,
            },
            "health": { "issues": [] },
        });
        // A cluster that is being made has neither.
        if state.status != "CREATING" {
            let own = || (self.url().to_owned(), self.shared.ca_pem.clone());
            let (url, ca_pem) = state.api_server.clone().unwrap_or_else(own);
            description["endpoint"] = json!(url);
            description["certificateAuthority"] = json!({ "data": BASE64.encode(ca_pem) });
        }
        if let Some(id) = &state.outpost_id {
            description["id"] = json!(id);
            description["outpostConfig"] = json!({
                "outpostArns": [format!("arn:aws:outposts:{}:{ACCOUNT}:outpost/op-1", self.region())],
                "controlPlaneInstanceType": "m5.large",
            });
        }
        description
    }
}

fn into_response(outcome: Result<Value, Failure>, date: Option<String>) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .header("content-type", "application/json")
        .header("x-amzn-requestid", random::uuid());
    if let Some(date) = date {
        response = response.header("date", date);
    }
    let (status, body) = match outcome {
        Ok(body) => (200, body),
        Err(failure) => {
            response = response.header("x-amzn-errortype", failure.code);
            (failure.status, json!({ "message": failure.message }))
        }
    };
    // A fault may ask for a status that is none.
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .status(status)
        .body(Full::new(body.to_string().into()))
        .expect("names and values of the headers are ours")
}

/// The page of something in between.
fn html(status: u16) -> Response<Full<Bytes>> {
    let body = format!("<html><body><h1>{status}</h1></body></html>\n");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Response::builder()
        .status(status)
        .header("content-type", "text/html")
        .body(Full::new(body.into()))
        .expect("the header is ours")
}
