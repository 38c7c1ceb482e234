{{- define "scoreboard.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Room is left for the longest suffix, -scheduler. */}}
{{- define "scoreboard.fullname" -}}
{{- $name := include "scoreboard.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $full | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- /* Of the pods of a role: (list . "http"). They are in selectors, so they never change. */}}
{{- define "scoreboard.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ include "scoreboard.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- /* Of every object: (list . "http"); of what belongs to all roles: (list . "") */}}
{{- define "scoreboard.labels" -}}
{{- $root := first . -}}
{{- if last . }}
{{- include "scoreboard.selector" . }}
{{- else -}}
app.kubernetes.io/name: {{ include "scoreboard.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "scoreboard.image" -}}
{{- $image := .Values.image }}
{{- $repository := required "image.repository: name where you pushed what infra/containers/Dockerfile builds" $image.repository }}
{{- if $image.digest }}
{{- printf "%s@%s" $repository $image.digest }}
{{- else }}
{{- printf "%s:%s" $repository ($image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{- /* Numbers as people write them: Helm reads 10485760 as 1.048576e+07. */}}
{{- define "scoreboard.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- /* The stores that are used, by the variable that names them: REDIS_URL: {...} */}}
{{- define "scoreboard.stores" -}}
{{- $stores := .Values.stores }}
{{- $used := dict "REDIS_URL" $stores.redis "AMQP_URL" $stores.rabbitmq "DATABASE_URL" $stores.postgresql }}
{{- if $stores.postgresqlOwner.enabled }}
{{- $_ := set $used "MIGRATIONS_DATABASE_URL" $stores.postgresqlOwner }}
{{- end }}
{{- toYaml $used }}
{{- end }}

{{- /* Variables whose value is in a Secret: DATABASE_URL: {secret: ..., key: ...} */}}
{{- define "scoreboard.secrets" -}}
{{- $values := .Values }}
{{- $names := dict "REDIS_URL" "redis" "AMQP_URL" "rabbitmq" "DATABASE_URL" "postgresql" "MIGRATIONS_DATABASE_URL" "postgresqlOwner" }}
{{- $found := dict }}
{{- range $variable, $store := include "scoreboard.stores" . | fromYaml }}
{{- $name := printf "stores.%s" (get $names $variable) }}
{{- if $store.url }}
{{- if $store.secret.name }}
{{- fail (printf "%s: url or secret.name, not both" $name) }}
{{- end }}
{{- if regexMatch "^[^/]*//[^/@]*:[^/@]+@|[?&](password|sentinel_password)=" $store.url }}
{{- fail (printf "%s.url holds a password: put the URL into a Secret, and name that in %s.secret.name or existingSecret" $name $name) }}
{{- end }}
{{- else }}
{{- $ask := printf "%s: name the Secret that holds its URL in %s.secret.name or existingSecret; a URL without a password may stand in %s.url" $name $name $name }}
{{- $_ := set $found $variable (dict "secret" (required $ask ($store.secret.name | default $values.existingSecret)) "key" $store.secret.key) }}
{{- end }}
{{- end }}
{{- $keys := required "keys: name the Secret that holds them in keys.secret or existingSecret; infra/containers/secrets.sh makes such keys" ($values.keys.secret | default $values.existingSecret) }}
{{- $_ := set $found "JWT_SIGNING_KEY" (dict "secret" $keys "key" $values.keys.jwtSigningKey) }}
{{- $_ := set $found "PAYLOAD_KEYS" (dict "secret" $keys "key" $values.keys.payloadKeys) }}
{{- if $values.metrics.tokenSecret }}
{{- $_ := set $found "METRICS_TOKEN" (dict "secret" $values.metrics.tokenSecret "key" $values.metrics.tokenKey) }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- /* Authorities by the variable that names their file: REDIS_CA_FILE: {secret: ..., configMap: ..., key: ...} */}}
{{- define "scoreboard.authorities" -}}
{{- $stores := .Values.stores }}
{{- $found := dict }}
{{- range $variable, $store := dict "REDIS_CA_FILE" $stores.redis "AMQP_CA_FILE" $stores.rabbitmq "DATABASE_CA_FILE" $stores.postgresql }}
{{- if or $store.ca.secret $store.ca.configMap }}
{{- $_ := set $found $variable $store.ca }}
{{- end }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{- define "scoreboard.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.existingSecret "") }}
{{- end }}

{{- define "scoreboard.port" -}}
{{- .Values.service.port | default (ternary 443 80 (ne .Values.tls.existingSecret "")) | int }}
{{- end }}
