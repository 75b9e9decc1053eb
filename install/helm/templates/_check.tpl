{{/* Values with which the plugin could not work, each with what to do. */}}
{{- define "plugin.check" -}}
{{- if .Values.tbot.enabled -}}
{{- range $name := list "token" "clusterName" -}}
{{- if not (get $.Values.tbot $name) -}}
{{- fail (printf "tbot.%s is empty; set it, as the guide on installation says." $name) -}}
{{- end -}}
{{- end -}}
{{- if not .Values.tbot.image.tag -}}
{{- fail "tbot.image.tag is empty; set it to the version of the cluster." -}}
{{- end -}}
{{- else if not .Values.teleport.identitySecretName -}}
{{- fail "teleport.identitySecretName is empty; set it to the secret that holds the plugin's identity, or have tbot keep one (tbot.enabled)." -}}
{{- end -}}
{{- if .Values.crd.create -}}
{{- fail "crd.create: this chart creates no resources of the Teleport operator. Create them from the role files of the release." -}}
{{- end -}}
{{- if not .Values.teleport.address -}}
{{- fail "teleport.address is empty; set it to the host and port of the Proxy or the Auth Service." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "serviceMonitor.enabled: there is no service that it could find; set service.enabled, or podMonitor.enabled in its place." -}}
{{- end -}}
{{- $way := include "plugin.way" . | fromJson -}}
{{- if not $way -}}
{{- fail (printf "it is not said how %s is reached; set enabled to true in the values of one way." (include "plugin.kind" .)) -}}
{{- end -}}
{{- $service := include "plugin.service" . | fromJson -}}
{{- $set := get (get (default dict .Values.config) $way.section | default dict) $way.key -}}
{{- if and $service.needed (not (or $service.secret $service.secretName $set)) -}}
{{- fail (printf "there is no credential for %s; set a secret's name in %sFromSecret, or the value itself." (include "plugin.kind" .) (printf "%s.%s" $way.section $way.value)) -}}
{{- end -}}
{{- if eq (include "plugin.appToken" .) "none" -}}
{{- fail "review.enabled: there is no app-level token, or secret for buttons; set a secret's name in review.appTokenFromSecret, or the value itself in review.appToken." -}}
{{- end -}}
{{- with .Values.review -}}
{{- if .enabled -}}
{{- if not (or (get . (printf "%sUserIdTrait" (include "plugin.kind" $))) .users .allowEmailUsernameMatch) -}}
{{- fail "review.enabled: nothing says who a person is in Teleport; set the trait that holds the id of a person, or users." -}}
{{- end -}}
{{- if and (eq (default "" .submitAs) "plugin") (not .reviewers) -}}
{{- fail "review.submitAs is plugin: say in review.reviewers who may decide, by role." -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $own := get .Values (include "plugin.kind" .) | default dict -}}
{{- $old := or (default dict .Values.delivery).recipients (and (hasKey $own "recipients") (or $own.recipients true)) -}}
{{- $optional := and $old (empty .Values.roleToRecipients) -}}
{{- $optional = or $optional (and (hasKey $own "recipients") $own.recipients) -}}
{{- $config := default dict .Values.config -}}
{{- if and (hasKey .Values "roleToRecipients") (not $optional) (not (get .Values.roleToRecipients "*")) (not (get (default dict $config.role_to_recipients) "*")) -}}
{{- fail "roleToRecipients has no \"*\"; it says whom to tell where no other role does." -}}
{{- end -}}
{{- end -}}
