{{- define "infadapter.name" -}}{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}{{- end }}

{{- define "infadapter.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "infadapter.name" .) .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "infadapter.name" .) | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "infadapter.selector" -}}
app.kubernetes.io/name: {{ include "infadapter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "infadapter.labels" -}}
{{ include "infadapter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "infadapter.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "infadapter.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- /* The pods of every service's router, as the operator labels them. */}}
{{- define "infadapter.routers" -}}
app.kubernetes.io/managed-by: infadapter
app.kubernetes.io/component: router
{{- end }}

{{- /* How often the routers are scraped, in seconds: by the PodMonitor where there is one. */}}
{{- define "infadapter.scrapeSeconds" -}}
{{- if .Values.metrics.podMonitor.enabled }}
{{- $interval := .Values.metrics.podMonitor.interval }}
{{- $seconds := 0 }}
{{- if regexMatch "^[0-9]+s$" $interval }}{{ $seconds = trimSuffix "s" $interval | int }}{{ end }}
{{- if regexMatch "^[0-9]+m$" $interval }}{{ $seconds = mul 60 (trimSuffix "m" $interval | int) }}{{ end }}
{{- if or (lt (int $seconds) 1) (gt (int $seconds) 300) }}
{{- fail (printf "metrics.podMonitor.interval is %s; it must be whole seconds or minutes, from 1s to 5m, such as 15s" $interval) }}
{{- end }}
{{- $seconds }}
{{- else }}{{ .Values.prometheus.scrapeSeconds }}{{ end }}
{{- end }}

{{- define "infadapter.retryMostSeconds" -}}
{{- with .Values.patience }}
{{- if lt (float64 .retryMostSeconds) (float64 .retryFirstSeconds) }}
{{- fail (printf "patience.retryMostSeconds is %v; it must be no less than patience.retryFirstSeconds, %v" .retryMostSeconds .retryFirstSeconds) }}
{{- end }}
{{- .retryMostSeconds }}
{{- end }}
{{- end }}

{{- define "infadapter.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
