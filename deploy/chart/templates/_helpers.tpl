{{/* The name of everything: the release's, which names the chart. */}}
{{- define "rso.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "rso.labels" -}}
app.kubernetes.io/name: {{ include "rso.name" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
{{- end -}}

{{/* Who has the rights of a role. */}}
{{- define "rso.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "rso.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* What the operator does in a namespace that it looks after. */}}
{{- define "rso.rules" -}}
- apiGroups: [redis-sentinel-operator.io]
  resources: [redissentinelclusters]
  verbs: [get, list, watch, patch, delete]  # patch: the finalizer; delete: what was made for a plan and has expired
- apiGroups: [redis-sentinel-operator.io]
  resources: [redissentinelclusters/status]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, create, patch, delete]  # list: those of others behind the Services of a cluster
{{- end -}}

{{- define "rso.ruleOfIdentity" -}}
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]  # its uid tells this Kubernetes from another in the claim on each host
  verbs: [get]
{{- end -}}
