//! `irsa-sidecar`: gives any program in a Kubernetes pod the AWS identity of its service account.
//!
//! This list is the map, in dependency order: a module uses only what stands above it (`tests/e2e/architecture.rs`
//! holds that). The pipeline is `token -> claims -> sts -> store -> outputs`, kept moving by `refresh`, wired in `app`.

// What was found, expected and is to be done, under stable ids.
pub mod diagnosis;
// How long to wait before something is tried again.
pub mod backoff;
// Text that is never shown and is wiped.
pub mod secret;
// Wall time corrected by STS, and a tick that nothing can move.
pub mod clock;
// One session's credentials and the one body that every door gives out.
pub mod credentials;
// Which region lies in which partition, and the names of the hosts there.
pub mod partition;
// Notices that a file may have changed.
pub mod watch;
// Files that are read to the end, and nothing else in their place.
pub mod regular_file;
// Files that are whole or not there.
pub mod atomic_file;
// The projected service account token file.
pub mod token;
// Claims, checked before anything leaves the pod.
pub mod claims;
// The role's ARN and the role session name.
pub mod role;
// HTTPS to AWS, and an ear for its clock.
pub mod transport;
// Where a pod finds the API server of its own cluster.
pub mod in_cluster;
// The pod's service account and its annotations, from the Kubernetes API.
pub mod service_account;
// One exchange with STS.
pub mod sts;
// The newest credentials; one writer, many readers.
pub mod store;
// What is counted.
pub mod metrics;
// When to exchange, and the task that does it.
pub mod refresh;
// The roles that were assumed from the pod's role.
pub mod assumed_roles;
// The bearer token by which an EKS cluster knows an AWS identity.
pub mod eks_token;
// The rules by which a cluster takes a token or refuses it.
pub mod inspection;
// Who a token turns out to be, and how the cluster is told to let it in.
pub mod identity;
// A token sent to STS as the cluster would send it.
pub mod replay;
// Where a cluster is: eks:DescribeCluster.
pub mod eks;
// kubeconfigs: entries for clusters, merged into what is there.
pub mod kubeconfig;
// Link-local addresses on the pod's `lo`.
pub mod link_local;
// HTTP/1.1: accepting, limits, answers.
pub mod http;
// What the pod may ask for.
pub mod outputs;
// Health and metrics.
pub mod ops;
// Logs.
pub mod telemetry;
// The way from token file to cluster, judged step by step.
pub mod doctor;
// From text in three spellings to every component's `Config`.
pub mod config;
// The subcommands that end by themselves.
pub mod commands;
// Wires it all, and takes it down.
pub mod app;
