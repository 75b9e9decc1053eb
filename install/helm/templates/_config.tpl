{{/* The config of the plugin. JSON strings and arrays are TOML's too. */}}
{{- define "plugin.config" -}}
{{- $kind := include "plugin.kind" . -}}
{{- $dir := include "plugin.dir" . -}}
[teleport]
addr = {{ .Values.teleport.address | toJson }}
identity = {{ printf "%s/teleport-identity/%s" $dir .Values.teleport.identitySecretPath | toJson }}
refresh_identity = true

[{{ $kind }}]
{{- $secret := printf "%s/%s" $dir (include "plugin.secretFile" .) | toJson }}
{{ .Chart.Annotations.credentialKey }} = {{ $secret }}
{{- $values := get .Values $kind }}
{{- range $key, $value := .Chart.Annotations.furtherKeys | default "{}" | fromYaml }}
{{ $key }} = {{ get $values $value | toJson }}
{{- end }}
{{- if hasKey .Values "roleToRecipients" }}

[role_to_recipients]
{{- range $role, $recipients := .Values.roleToRecipients }}
{{ $role | toJson }} = {{ $recipients | toJson }}
{{- end }}
{{- end }}
{{- with .Values.review }}
{{- if .enabled }}

[review]
enabled = true
{{- with $.Chart.Annotations.appTokenFile }}
app_token = {{ printf "%s/%s" $dir . | toJson }}
{{- end }}
{{- range $key, $value := omit . "enabled" "appToken" "appTokenFromSecret" "users" "reviewers" }}
{{- if or $value (kindIs "slice" $value) }}
{{ $key | snakecase }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- if not (hasKey $.Values.review "roles") }}
roles = []
{{- end }}
{{- range $table := list "users" "reviewers" }}
{{- with get $.Values.review $table }}

[review.{{ $table }}]
{{- range $key, $value := . }}
{{ $key | toJson }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

[log]
output = {{ .Values.log.output | toJson }}
severity = {{ .Values.log.severity | toJson }}
{{- end -}}
