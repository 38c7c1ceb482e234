{{- /* The pod of a role, (list . "http"), or of the Job: (list . "prepare"). */}}
{{- define "scoreboard.pod" -}}
{{- $root := first . }}
{{- $role := last . }}
{{- $values := $root.Values }}
{{- $serves := ne $role "prepare" }}
{{- $secrets := include "scoreboard.secrets" $root | fromYaml }}
{{- $authorities := include "scoreboard.authorities" $root | fromYaml }}
{{- $account := $values.serviceAccount -}}
metadata:
  labels:
    {{- include "scoreboard.selector" . | nindent 4 }}
    app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
    {{- with $values.pod.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.pod.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if and $account.create $serves }}
  serviceAccountName: {{ $account.name | default (include "scoreboard.fullname" $root) }}
  {{- else if and $account.name (not $account.create) }}
  serviceAccountName: {{ $account.name }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    # The image's user.
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  {{- if $serves }}
  terminationGracePeriodSeconds: {{ $values.pod.terminationGracePeriodSeconds }}
  {{- with $values.pod.spreadOver }}
  topologySpreadConstraints:
    {{- range . }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "scoreboard.selector" (list $root $role) | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- else }}
  restartPolicy: Never
  {{- end }}
  {{- with $values.pod.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.pod.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.pod.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.pod.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  containers:
    - name: scoreboard
      image: {{ include "scoreboard.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [{{ ternary "serve" "prepare" $serves }}]
      env:
        {{- if $serves }}
        - {name: SCOREBOARD_ROLE, value: {{ $role }}}
        - {name: SCOREBOARD_HOST, value: {{ $values.listen | quote }}}
        - {name: SCOREBOARD_PORT, value: "8080"}
        - {name: SCOREBOARD_WORKERS, value: {{ ternary $values.http.workers 1 (eq $role "http") | quote }}}
        {{- if $values.tls.existingSecret }}
        - {name: SCOREBOARD_TLS, value: "true"}
        - {name: SCOREBOARD_TLS_CERT, value: /etc/scoreboard/tls/tls.crt}
        - {name: SCOREBOARD_TLS_KEY, value: /etc/scoreboard/tls/tls.key}
        {{- else }}
        - {name: SCOREBOARD_INSECURE, value: "true"}
        {{- end }}
        {{- if and (eq $role "http") $values.http.trustedProxies }}
        - {name: SCOREBOARD_TRUSTED_PROXIES, value: {{ $values.http.trustedProxies | quote }}}
        {{- end }}
        {{- end }}
        - {name: SCOREBOARD_DATA_DIR, value: /data}
        - {name: LOG_FORMAT, value: json}
        {{- range $variable, $store := include "scoreboard.stores" $root | fromYaml }}
        {{- if $store.url }}
        - {name: {{ $variable }}, value: {{ $store.url | quote }}}
        {{- end }}
        {{- end }}
        {{- range $variable, $_ := $secrets }}
        - {name: {{ $variable }}_FILE, value: /etc/scoreboard/secrets/{{ lower $variable }}}
        {{- end }}
        {{- range $variable, $_ := $authorities }}
        - {name: {{ $variable }}, value: /etc/scoreboard/authorities/{{ lower $variable }}}
        {{- end }}
        {{- range $variable, $value := $values.settings }}
        - {name: {{ $variable }}, value: {{ include "scoreboard.text" $value | quote }}}
        {{- end }}
        {{- with $values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if $serves }}
      {{- $scheme := include "scoreboard.scheme" $root | upper }}
      ports:
        - {name: http, containerPort: 8080}
      # Until its first answer: the stores are prepared before, which takes up to five minutes after a restore.
      startupProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 180
      # It asks no store. What dies inside is started again by `serve` itself, sooner than this notices.
      livenessProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # 503 when this pod cannot do what it is for, also while a store is away. A failover of one is over before the third failure.
      readinessProbe:
        httpGet: {path: /readyz, port: http, scheme: {{ $scheme }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 3
      {{- if and (eq $role "http") (gt (int $values.pod.drainSeconds) 0) }}
      lifecycle:
        preStop:
          exec: {command: [sleep, {{ $values.pod.drainSeconds | quote }}]}
      {{- end }}
      {{- end }}
      resources:
        {{- toYaml (get $values $role).resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        - {name: secrets, mountPath: /etc/scoreboard/secrets, readOnly: true}
        {{- if $authorities }}
        - {name: authorities, mountPath: /etc/scoreboard/authorities, readOnly: true}
        {{- end }}
        {{- if and $serves $values.tls.existingSecret }}
        - {name: tls, mountPath: /etc/scoreboard/tls, readOnly: true}
        {{- end }}
  volumes:
    - name: data
      emptyDir: {sizeLimit: {{ $values.pod.dataSize }}}
    - name: tmp
      emptyDir: {sizeLimit: 16Mi}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $variable, $source := $secrets }}
          - secret:
              name: {{ $source.secret }}
              items: [{key: {{ $source.key }}, path: {{ lower $variable }}}]
          {{- end }}
    {{- if $authorities }}
    - name: authorities
      projected:
        sources:
          {{- range $variable, $source := $authorities }}
          - {{ ternary "secret" "configMap" (ne $source.secret "") }}:
              name: {{ $source.secret | default $source.configMap }}
              items: [{key: {{ $source.key }}, path: {{ lower $variable }}}]
          {{- end }}
    {{- end }}
    {{- if and $serves $values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ $values.tls.existingSecret }}
        defaultMode: 0440
    {{- end }}
{{- end }}
