//! What lets a pod read its own service account, and nothing else.

use super::ServiceAccountName;

/// The Role and its RoleBinding, for `kubectl apply -f -`. `manifests/rbac/role.yaml` is this text for one service
/// account; a test holds the two together.
pub fn role_and_binding(account: &ServiceAccountName) -> String {
    let ServiceAccountName { namespace, name } = account;
    format!(
        "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: irsa-sidecar-{name}
  namespace: \"{namespace}\"
rules:
  - apiGroups: [\"\"]
    resources: [serviceaccounts]
    resourceNames: [\"{name}\"]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: irsa-sidecar-{name}
  namespace: \"{namespace}\"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: irsa-sidecar-{name}
subjects:
  - kind: ServiceAccount
    name: \"{name}\"
    namespace: \"{namespace}\"
"
    )
}
