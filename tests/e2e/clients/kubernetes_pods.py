"""The pods of the namespace default, three times, by one client of the cluster that the kubeconfig names."""

from kubernetes import client, config

config.load_kube_config()
api = client.CoreV1Api()
for _ in range(3):
    for pod in api.list_namespaced_pod("default").items:
        print("pod/" + pod.metadata.name)
