# The same image by the best Dockerfile that we know: no RUN, every layer linked.
ARG SAM_BASE_IMAGE
ARG HARNESS_BASE_IMAGE
ARG DOCKER_IMAGE
FROM ${HARNESS_BASE_IMAGE} AS plugin
FROM ${DOCKER_IMAGE} AS docker

FROM ${SAM_BASE_IMAGE}
ARG GO_TEMPLATE_URL
COPY --link --chmod=755 --from=plugin /opt/harness/bin/harness-sam-plugin /opt/harness/bin/harness-sam-plugin
COPY --link --chmod=755 --from=plugin /opt/harness/scripts/ /opt/harness/scripts/
COPY --link --chmod=755 --from=docker /usr/local/bin/docker /usr/local/bin/docker
ADD --link --chmod=755 ${GO_TEMPLATE_URL} /opt/harness/client-tools/go-template
ENTRYPOINT ["/opt/harness/scripts/sam-plugin.sh"]
