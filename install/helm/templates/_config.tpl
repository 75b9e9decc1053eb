{{/* The config of the plugin: what the values make of it, and over that the value
     config. */}}
{{- define "plugin.config" -}}
{{- $config := include "plugin.settings" . | fromJson -}}
{{- include "plugin.put" (dict "into" $config "from" (default dict .Values.config)) -}}
{{- $service := include "plugin.service" . | fromJson -}}
{{- range $endpoint := $config.endpoints -}}
{{- if and $endpoint.url (not $endpoint.secret) (or $service.secret $service.secretName) -}}
{{- $_ := set $endpoint "secret" (printf "%s/%s" (include "plugin.dir" $) (include "plugin.secretFile" $)) -}}
{{- end -}}
{{- end -}}
{{- include "plugin.toml" (dict "table" $config "path" "") | trim -}}
{{- end -}}

{{/* Puts the keys of one table into another one, inner tables key by key. */}}
{{- define "plugin.put" -}}
{{- $into := .into -}}
{{- range $key, $value := .from -}}
{{- $is := get $into $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $is) -}}
{{- include "plugin.put" (dict "into" $is "from" $value) -}}
{{- else -}}
{{- $_ := set $into $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A table as TOML. JSON's strings, numbers and lists of them are TOML's too. */}}
{{- define "plugin.toml" -}}
{{- range $key, $value := .table }}
{{- if not (or (kindIs "map" $value) (kindIs "invalid" $value)) }}
{{ include "plugin.key" $key }} = {{ $value | toJson }}
{{- end }}
{{- end }}
{{- $path := .path }}
{{- range $key, $value := .table }}
{{- if kindIs "map" $value }}
{{- $inner := printf "%s%s" $path (include "plugin.key" $key) }}

[{{ $inner }}]
{{- include "plugin.toml" (dict "table" $value "path" (printf "%s." $inner)) }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "plugin.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ . | toJson }}{{- end -}}
{{- end -}}

{{/* A table of the config from one of the values, as JSON: the keys are as the config has
     them, and what is empty is left to the plugin. */}}
{{- define "plugin.section" -}}
{{- $section := dict -}}
{{- range $key, $value := . -}}
{{- if $value -}}
{{- $_ := set $section ($key | snakecase) $value -}}
{{- end -}}
{{- end -}}
{{- $section | toJson -}}
{{- end -}}

{{/* What the values make of the config, as JSON. */}}
{{- define "plugin.settings" -}}
{{- $dir := include "plugin.dir" . -}}
{{- $teleport := dict "addr" .Values.teleport.address "identity" (include "plugin.identity" .) "refresh_identity" true -}}
{{- $config := dict "teleport" $teleport "log" .Values.log -}}
{{- $way := include "plugin.way" . | fromJson -}}
{{- $values := get .Values (default "" $way.section) | default dict -}}
{{- if hasKey .Values "endpoints" -}}
{{- $endpoints := dict -}}
{{- range $name, $endpoint := .Values.endpoints -}}
{{- $section := include "plugin.section" (omit $endpoint "required" "headers") | fromJson -}}
{{- include "plugin.put" (dict "into" $section "from" (pick $endpoint "required" "headers")) -}}
{{- $_ := set $endpoints $name $section -}}
{{- end -}}
{{- $_ := set $config "endpoints" $endpoints -}}
{{- else if $way -}}
{{- $section := dict -}}
{{- $service := include "plugin.service" . | fromJson -}}
{{- if or $service.secret $service.secretName -}}
{{- $_ := set $section $way.key (printf "%s/%s" $dir (include "plugin.secretFile" .)) -}}
{{- end -}}
{{- range $key, $value := $way.keys -}}
{{- $_ := set $section $key (get $values $value) -}}
{{- end -}}
{{- range $name := $way.optional -}}
{{- $value := get $values $name -}}
{{- if kindIs "map" $value -}}
{{- $value = include "plugin.section" $value | fromJson -}}
{{- end -}}
{{- if $value -}}
{{- $_ := set $section ($name | snakecase) $value -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config $way.section $section -}}
{{- end -}}
{{- with .Values.decide -}}
{{- $_ := set $config "decide" . -}}
{{- end -}}
{{- $old := list -}}
{{- with .Values.delivery -}}
{{- $old = .recipients -}}
{{- $_ := set $config "delivery" (include "plugin.section" (omit . "recipients") | fromJson) -}}
{{- end -}}
{{- if .Values.roleToRecipients -}}
{{- $_ := set $config "role_to_recipients" .Values.roleToRecipients -}}
{{- else if $old -}}
{{- $_ := set $config "role_to_recipients" (dict "*" $old) -}}
{{- end -}}
{{- with .Values.review -}}
{{- if .enabled -}}
{{- $review := include "plugin.section" (omit . "appToken" "appTokenFromSecret" "roles") | fromJson -}}
{{- with $.Chart.Annotations.appTokenFile -}}
{{- $_ := set $review ($.Chart.Annotations.appTokenName | default "app_token") (printf "%s/%s" $dir .) -}}
{{- end -}}
{{/* Roles that are named nowhere are none. */}}
{{- $_ := set $review "roles" (default list .roles) -}}
{{- $_ := set $config "review" $review -}}
{{- end -}}
{{- end -}}
{{- $config | toJson -}}
{{- end -}}
