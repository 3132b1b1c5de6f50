{{- /* Who asks Prometheus: each Secret is mounted as a folder, since a single file of one (subPath) is never renewed. */}}
{{- define "infadapter.prometheus.folder" -}}/etc/infadapter/prometheus{{- end }}

{{- /* An address as the operator takes it; what stands before an @ is secret, and in no sentence. */}}
{{- define "infadapter.prometheus.address" -}}
{{- $port := "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])" }}
{{- $host := "(\\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\\]|[^][/?#@:\\s]+)" }}
{{- if not (regexMatch (printf "^https?://([^/?#\\s]*@)?%s(:(%s)?)?([/?#].*)?$" $host $port) .url) }}
{{- fail (printf "%s is %s; it must name a host, and a port from 1 to 65535 if any, such as http://prometheus:9090" .name (include "infadapter.prometheus.told" .url)) }}
{{- end }}
{{- .url | quote }}
{{- end }}

{{- define "infadapter.prometheus.told" -}}{{ regexReplaceAll "^(https?://)[^/?#]*@" . "${1}" }}{{- end }}

{{- define "infadapter.prometheus.env" -}}
{{- $folder := include "infadapter.prometheus.folder" . }}
{{- with .Values.prometheus }}
{{- if and .tokenSecret.name .serviceAccountToken.enabled }}
{{- fail "prometheus.tokenSecret.name and prometheus.serviceAccountToken.enabled are set; it must be one of them" }}
{{- end }}
{{- if and .ca.secret .ca.configMap }}
{{- fail "prometheus.ca.secret and prometheus.ca.configMap are set; it must be one of them" }}
{{- end }}
{{- if ne (eq .customQueries "namespaced") (ne .namespacedUrl "") }}
{{- if .customQueries }}
{{- fail "prometheus.customQueries must be namespaced, together with prometheus.namespacedUrl, or neither" }}
{{- end }}
{{- end }}
{{- if .tokenSecret.name }}
- {name: INFADAPTER_PROMETHEUS_TOKEN_FILE, value: "{{ $folder }}/token/{{ .tokenSecret.key }}"}
{{- end }}
{{- if .serviceAccountToken.enabled }}
- {name: INFADAPTER_PROMETHEUS_TOKEN_FILE, value: "{{ $folder }}/token/token"}
{{- end }}
{{- with .headers }}
- {name: INFADAPTER_PROMETHEUS_HEADERS, value: {{ toJson . | quote }}}
{{- end }}
{{- if .headersSecret }}
- {name: INFADAPTER_PROMETHEUS_HEADERS_FOLDER, value: "{{ $folder }}/headers"}
{{- end }}
{{- if or .ca.secret .ca.configMap }}
- {name: INFADAPTER_PROMETHEUS_CA_FILE, value: "{{ $folder }}/ca/{{ .ca.key }}"}
{{- end }}
{{- if .clientCertificateSecret }}
- {name: INFADAPTER_PROMETHEUS_CERTIFICATE_FILE, value: "{{ $folder }}/certificate/tls.crt"}
- {name: INFADAPTER_PROMETHEUS_KEY_FILE, value: "{{ $folder }}/certificate/tls.key"}
{{- end }}
{{- with .customQueries }}
- {name: INFADAPTER_CUSTOM_QUERIES, value: {{ . | quote }}}
{{- end }}
{{- with .namespacedUrl }}
- {name: INFADAPTER_NAMESPACED_URL, value: {{ include "infadapter.prometheus.address" (dict "name" "prometheus.namespacedUrl" "url" .) }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "infadapter.prometheus.volumes" -}}
{{- with .Values.prometheus }}
{{- if .tokenSecret.name }}
- {name: prometheus-token, secret: {secretName: {{ .tokenSecret.name | quote }}}}
{{- end }}
{{- with .serviceAccountToken }}
{{- if .enabled }}
- name: prometheus-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: {{ .expirationSeconds | int }}
          {{- with .audience }}
          audience: {{ . | quote }}
          {{- end }}
{{- end }}
{{- end }}
{{- with .headersSecret }}
- {name: prometheus-headers, secret: {secretName: {{ . | quote }}}}
{{- end }}
{{- with .ca.secret }}
- {name: prometheus-ca, secret: {secretName: {{ . | quote }}}}
{{- end }}
{{- with .ca.configMap }}
- {name: prometheus-ca, configMap: {name: {{ . | quote }}}}
{{- end }}
{{- with .clientCertificateSecret }}
- {name: prometheus-certificate, secret: {secretName: {{ . | quote }}}}
{{- end }}
{{- end }}
{{- end }}

{{- define "infadapter.prometheus.mounts" -}}
{{- range include "infadapter.prometheus.volumes" . | fromYamlArray }}
- {name: {{ .name }}, mountPath: "{{ include "infadapter.prometheus.folder" $ }}/{{ trimPrefix "prometheus-" .name }}", readOnly: true}
{{- end }}
{{- end }}
