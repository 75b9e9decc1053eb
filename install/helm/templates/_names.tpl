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
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where the plugin finds its credentials, and the name of the service's among
     them, both as in earlier charts. */}}
{{- define "plugin.dir" -}}
/var/lib/teleport/plugins/{{ include "plugin.kind" . }}
{{- end -}}

{{/* The file with the identity: that of a secret, or the one that tbot writes. */}}
{{- define "plugin.identity" -}}
{{- if .Values.tbot.enabled -}}
/var/lib/tbot/identity
{{- else -}}
{{ include "plugin.dir" . }}/teleport-identity/{{ .Values.teleport.identitySecretPath }}
{{- end -}}
{{- end -}}

{{/* The account of the pods; empty for the default one. */}}
{{- define "plugin.account" -}}
{{- default (ternary (include "plugin.fullname" .) "" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The ports of the pods by their names. */}}
{{- define "plugin.ports" -}}
{{- $ports := dict "diag" .Values.diagPort -}}
{{- with .Values.review -}}
{{- if and .enabled .listen -}}
{{- $_ := set $ports "review" (splitList ":" .listen | last | int) -}}
{{- end -}}
{{- end -}}
{{- $ports | toJson -}}
{{- end -}}

{{- define "plugin.secretFile" -}}
{{- get (include "plugin.way" . | fromJson) "file" -}}
{{- end -}}

{{/* How the service is reached, of those that the chart lists the first that is enabled:
     the section of the values and of the config, its keys there, and the file, the key
     and the value of its credential. */}}
{{- define "plugin.way" -}}
{{- $a := .Chart.Annotations -}}
{{- $found := dict -}}
{{- if $a.ways -}}
{{- range $way := $a.ways | fromYamlArray -}}
{{- if and (not $found) (get $.Values $way.section).enabled -}}
{{- $found = $way -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $found = dict "section" (include "plugin.kind" .) "file" $a.credentialFile "key" $a.credentialKey "value" $a.credentialValue "keys" ($a.furtherKeys | default "{}" | fromYaml) -}}
{{- end -}}
{{- $found | toJson -}}
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

{{/* The values of the service's credential under one set of names: secret, secretName
     and secretKey. needed says that there is no way in without one. */}}
{{- define "plugin.service" -}}
{{- $way := include "plugin.way" . | fromJson -}}
{{- $v := get .Values (default "" $way.section) | default dict -}}
{{- $name := default "" $way.value -}}
{{- $needed := and (or (not $way.for) (get $v (default "" $way.for))) (not (get $v (default "" $way.unless))) | empty | not -}}
{{- if hasKey .Values "endpoints" -}}
{{/* What signs events is needed by addresses that have nothing of their own. */}}
{{- $all := merge (default dict .Values.endpoints | deepCopy) (get (default dict .Values.config) "endpoints" | default dict) -}}
{{- $needed = empty $all -}}
{{- range $endpoint := $all -}}
{{- if and $endpoint.url (not $endpoint.secret) -}}
{{- $needed = true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "secret" (get $v $name) "secretName" (get $v (printf "%sFromSecret" $name)) "secretKey" (get $v (printf "%sSecretPath" $name)) "needed" $needed | toJson -}}
{{- end -}}
