"""A small client of the API server: plain documents in and out, every failure one line with its exit code.

It goes the way that kubectl goes (KUBECONFIG, ~/.kube/config, else a Pod's ServiceAccount), with the same rights.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import yaml

from redis_sentinel_operator.api import GROUP, PLURAL, SINGULAR, VERSION
from redis_sentinel_operator.api.annotations import PLAN_FOR
from redis_sentinel_operator.cli.exits import CliError, Conflict, Forbidden, NoServer, NotFound, Usage

Document = dict[str, Any]
MANAGER: Final = "kubectl-rsc"
APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
_SECONDS: Final = 15.0
_ATTEMPTS: Final = 10
_ERRORS: Final[Mapping[int, type[CliError]]] = {
    HTTPStatus.UNAUTHORIZED: Forbidden,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


@dataclass(frozen=True, slots=True)
class Where:
    """What kubectl's options of the same names say; "" where one is not given."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""

    def over(self, outer: Where) -> Where:
        """Return these options, and where one is not given that of `outer`."""
        return Where(
            self.kubeconfig or outer.kubeconfig,
            self.context or outer.context,
            self.namespace or outer.namespace,
        )


class Api:
    """One API server, as one user, and the namespace that is meant where none is said."""

    def __init__(self, where: Where) -> None:
        """Read the kubeconfig; nothing is asked yet. Raises NoServer or Usage."""
        from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415 - so that --help is quick

        self._configuration = Configuration()
        self._configuration.retries = False
        of_context = _load(self._configuration, where)
        self.namespace = where.namespace or of_context or "default"
        self._pool = ApiClient(self._configuration).rest_client.pool_manager

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = JSON,
        **query: str,
    ) -> Document:
        """Send one request and return the parsed answer. Raises the error of the answer's kind."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - see above

        url = f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": JSON, "Content-Type": content_type, "User-Agent": MANAGER}
        bearer = self._configuration.auth_settings().get("BearerToken")
        if bearer:
            headers["Authorization"] = str(bearer["value"])
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, url, body=data, headers=headers, timeout=_SECONDS, retries=False)
        except (HTTPError, OSError) as error:
            raise NoServer(f"the API server {self._configuration.host} does not answer: {_plain(error)}") from None
        return _parsed(answer.status, answer.data, method)

    def cluster(self, name: str) -> Document:
        """Return the RedisSentinelCluster. Raises NotFound."""
        try:
            return self.request("GET", self.path(name))
        except NotFound as error:
            if "could not find the requested resource" in error.message:
                raise NotFound(
                    f"this Kubernetes does not know {PLURAL}.{GROUP}: is the operator's definition installed, and is "
                    "this the right context?"
                ) from None
            raise NotFound(
                f"there is no {SINGULAR} {name!r} in namespace {self.namespace!r}: `kubectl get rsc -A` lists all"
            ) from None

    def clusters(self) -> list[Document]:
        """Return all RedisSentinelClusters of the namespace."""
        found: list[Document] = self.request("GET", self.path())["items"]
        return found

    def the_cluster(self, name: str | None) -> Document:
        """Return the cluster of that name, without a name the only one that there is."""
        if name:
            return self.cluster(name)
        found = [each for each in self.clusters() if not _is_plan(each)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound(f"there is no {SINGULAR} in namespace {self.namespace!r}: `kubectl get rsc -A` lists all")
        names = ", ".join(str(each["metadata"]["name"]) for each in found)
        raise Usage(f"say which one: there are several in namespace {self.namespace!r}: {names}")

    def change(self, name: str, patch_of: Any, *, content_type: str = MERGE, **query: str) -> Document:
        """Patch a cluster by what `patch_of(cluster)` makes of it as it is now; None: nothing is to be changed.

        Who changed it in between is not overruled: it is read again.
        """
        for _ in range(_ATTEMPTS):
            body = self.cluster(name)
            patch = patch_of(body)
            if patch is None:
                return body
            patch.setdefault("metadata", {})["resourceVersion"] = body["metadata"]["resourceVersion"]
            try:
                return self.request(
                    "PATCH", self.path(name), patch, content_type=content_type, fieldManager=MANAGER, **query
                )
            except Conflict:
                continue
        raise CliError(f"{name} is changed all the time by somebody else; try again")

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def path(self, name: str = "", plural: str = PLURAL, group: str = f"apis/{GROUP}/{VERSION}") -> str:
        """Return the path of a cluster, or of another object or collection in the namespace."""
        parts = [group, "namespaces", quote(self.namespace, safe=""), plural, quote(name, safe="")]
        return "/" + "/".join(part for part in parts if part)


def _load(configuration: Any, where: Where) -> str:
    """Fill the configuration; return the namespace of the context, "" where it has none."""
    from kubernetes import config  # noqa: PLC0415 - see above

    environment = os.environ.get("KUBECONFIG", "")
    files = where.kubeconfig or environment or str(Path.home() / ".kube" / "config")
    there = [path for path in files.split(os.pathsep) if Path(path).is_file()]
    if where.kubeconfig and not there:
        raise Usage(f"--kubeconfig: there is no file {where.kubeconfig}")
    try:
        if not there and os.environ.get("KUBERNETES_SERVICE_HOST"):
            config.load_incluster_config(client_configuration=configuration)
            return _pod_namespace()
        if not there:
            raise NoServer(f"no API server is named: there is no kubeconfig {files}; set KUBECONFIG or --kubeconfig")
        files = os.pathsep.join(there)
        contexts, current = config.list_kube_config_contexts(config_file=files)
        chosen = next((each for each in contexts if each["name"] == where.context), None)
        if where.context and chosen is None:
            known = ", ".join(str(each["name"]) for each in contexts)
            raise Usage(f"--context: there is no context {where.context!r} in {files}; it has: {known}")
        config.load_kube_config(
            config_file=files,
            context=where.context or None,
            client_configuration=configuration,
            persist_config=False,
        )
    except (AttributeError, LookupError, TypeError):  # what stands there has another form
        raise NoServer(f"{files} is no kubeconfig, or not a whole one") from None
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        raise NoServer(f"the kubeconfig {files} cannot be used: {_plain(error)}") from None
    return str((chosen or current).get("context", {}).get("namespace") or "")


def _pod_namespace() -> str:
    path = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _parsed(status: int, data: bytes, method: str) -> Document:
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {"message": data[:200].decode(errors="replace")}
    if not isinstance(answer, dict):
        answer = {"message": str(answer)[:200]}
    if status < HTTPStatus.BAD_REQUEST:
        return answer
    said = str(answer.get("message") or answer.get("reason") or f"{method} was answered with {status}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise NoServer(f"the API server answers {status}: {said}")
    raise _ERRORS.get(status, CliError)(said)


def _is_plan(body: Document) -> bool:
    return PLAN_FOR in (body["metadata"].get("annotations") or {})


def _plain(error: BaseException) -> str:
    """Return what went wrong, without the layers that urllib3 wraps around it."""
    said = str(getattr(error, "reason", None) or error)
    return said.rpartition("] ")[2] if "[Errno" in said else said
