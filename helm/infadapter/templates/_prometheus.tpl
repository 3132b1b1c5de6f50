{{- /* Who asks Prometheus: each Secret is mounted as a folder, since a single file of one (subPath) is never renewed. */}}
{{- define "infadapter.prometheus.folder" -}}/etc/infadapter/prometheus{{- end }}

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
- {name: INFADAPTER_NAMESPACED_URL, value: {{ . | quote }}}
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
