{{/* Values with which the plugin could not work, each with what to do. */}}
{{- define "plugin.check" -}}
{{- if .Values.tbot.enabled -}}
{{- fail "tbot.enabled: this chart does not bring tbot. Install Teleport's own tbot chart, and name the secret that it writes in teleport.identitySecretName, with identitySecretPath: identity." -}}
{{- end -}}
{{- if .Values.crd.create -}}
{{- fail "crd.create: this chart creates no resources of the Teleport operator. Create them from the role files of the release." -}}
{{- end -}}
{{- if not .Values.teleport.address -}}
{{- fail "teleport.address is empty; set it to the host and port of the Proxy or the Auth Service." -}}
{{- end -}}
{{- if not .Values.teleport.identitySecretName -}}
{{- fail "teleport.identitySecretName is empty; set it to the secret that holds the plugin's identity." -}}
{{- end -}}
{{- $service := include "plugin.service" . | fromJson -}}
{{- if not (or $service.secret $service.secretName) -}}
{{- fail (printf "there is no credential for %s; set a secret's name in %sFromSecret, or the value itself." (include "plugin.kind" .) (printf "%s.%s" (include "plugin.kind" .) .Chart.Annotations.credentialValue)) -}}
{{- end -}}
{{- if eq (include "plugin.appToken" .) "none" -}}
{{- fail "review.enabled: there is no app-level token; set a secret's name in review.appTokenFromSecret, or the value itself in review.appToken." -}}
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
{{- if and (hasKey .Values "roleToRecipients") (not (get .Values.roleToRecipients "*")) -}}
{{- fail "roleToRecipients has no \"*\"; it says whom to tell where no other role does." -}}
{{- end -}}
{{- end -}}
