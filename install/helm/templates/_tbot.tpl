{{/* Machine ID's tbot, as a container that is started before the plugin, and that the plugin
     waits for. What it needs to join is mounted for it alone. */}}
{{- define "plugin.tbot" -}}
- name: tbot
  image: "{{ .Values.tbot.image.repository }}:{{ .Values.tbot.image.tag }}"
  imagePullPolicy: {{ .Values.tbot.image.pullPolicy }}
  restartPolicy: Always
  args: [start, --config=/etc/tbot/tbot.yaml, --diag-addr=0.0.0.0:8082]
  env:
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    - name: KUBERNETES_TOKEN_PATH
      value: /var/run/secrets/tokens/join-sa-token
  ports:
    - name: tbot
      containerPort: 8082
  startupProbe:
    httpGet:
      path: /readyz
      port: tbot
    failureThreshold: 60
    periodSeconds: 1
  livenessProbe:
    httpGet:
      path: /livez
      port: tbot
    failureThreshold: 6
  {{- with .Values.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tbot.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    - name: config
      mountPath: /etc/tbot/tbot.yaml
      subPath: tbot.yaml
      readOnly: true
    - name: join
      mountPath: /var/run/secrets/tokens
      readOnly: true
    - name: tbot
      mountPath: {{ include "plugin.identity" . | dir }}
{{- end -}}

{{- define "plugin.tbotVolumes" -}}
{{- if .Values.tbot.enabled -}}
- name: tbot
  emptyDir:
    medium: Memory
- name: join
  projected:
    sources:
      - serviceAccountToken:
          path: join-sa-token
          expirationSeconds: 600
          audience: {{ .Values.tbot.clusterName | toJson }}
{{- end -}}
{{- end -}}

{{- define "plugin.tbotConfig" -}}
version: v2
proxy_server: {{ .Values.teleport.address | toJson }}
onboarding:
  join_method: {{ .Values.tbot.joinMethod }}
  token: {{ .Values.tbot.token | toJson }}
storage:
  type: memory
outputs:
  - type: identity
    destination:
      type: directory
      path: {{ include "plugin.identity" . | dir }}
{{- end -}}
