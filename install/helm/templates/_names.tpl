{{/* The plugin that this chart is for. */}}
{{- define "plugin.kind" -}}
{{- trimPrefix "teleport-plugin-" .Chart.Name -}}
{{- end -}}

{{- define "plugin.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "plugin.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "plugin.selectorLabels" -}}
app.kubernetes.io/name: {{ include "plugin.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "plugin.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "plugin.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Where the plugin finds its credentials, and the name of the service's among
     them, both as in earlier charts. */}}
{{- define "plugin.dir" -}}
/var/lib/teleport/plugins/{{ include "plugin.kind" . }}
{{- end -}}

{{- define "plugin.secretFile" -}}
{{- .Chart.Annotations.credentialFile -}}
{{- end -}}

{{/* The secret that holds the app-level token; "none" where one is missing, and empty
     where none is needed. */}}
{{- define "plugin.appToken" -}}
{{- with .Values.review -}}
{{- if and .enabled $.Chart.Annotations.appTokenFile -}}
{{- if .appTokenFromSecret -}}{{ .appTokenFromSecret }}
{{- else if .appToken -}}{{ include "plugin.fullname" $ }}-app-token-secret
{{- else -}}none
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The values of the service's section under one set of names: secret, secretName
     and secretKey. */}}
{{- define "plugin.service" -}}
{{- $v := get .Values (include "plugin.kind" .) -}}
{{- $name := .Chart.Annotations.credentialValue -}}
{{- dict "secret" (get $v $name) "secretName" (get $v (printf "%sFromSecret" $name)) "secretKey" (get $v (printf "%sSecretPath" $name)) | toJson -}}
{{- end -}}
