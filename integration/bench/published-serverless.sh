    cat > Dockerfile << EOF
ARG RUNTIME_BASE_IMAGE_VERSION
ARG NODEJS_BASE_IMAGE_VERSION

FROM \${NODEJS_BASE_IMAGE_VERSION} AS nodejs_base
FROM \${RUNTIME_BASE_IMAGE_VERSION}

COPY --from=nodejs_base /var/lang /var/lang
COPY --from=nodejs_base /opt /opt

ENV PATH="/var/lang/bin:/opt/bin:\${PATH}"

ENV HARNESS_GO_PLUGIN_VERSION=v0.4.5
ENV INSTALL_GO_TEMPLATE_BINARY=true
ENV UNIFIED_PIPELINE=false
EOF

    if [ -n "$SERVERLESS_VERSION" ]; then
        echo "ENV SERVERLESS_VERSION=$SERVERLESS_VERSION" >> Dockerfile
    fi

    cat >> Dockerfile << 'EOF'

RUN if command -v apt-get >/dev/null 2>&1; then \
        apt-get update -y && apt-get install -y wget ca-certificates && \
        wget -O /tmp/docker.tgz "https://download.docker.com/linux/static/stable/x86_64/docker-20.10.24.tgz" && \
        tar -xzf /tmp/docker.tgz -C /tmp && \
        cp /tmp/docker/docker /usr/local/bin/ && \
        chmod +x /usr/local/bin/docker && \
        rm -rf /tmp/docker /tmp/docker.tgz; \
    elif command -v yum >/dev/null 2>&1; then \
        yum install -y wget && \
        wget -O /tmp/docker.tgz "https://download.docker.com/linux/static/stable/x86_64/docker-20.10.24.tgz" && \
        tar -xzf /tmp/docker.tgz -C /tmp && \
        cp /tmp/docker/docker /usr/local/bin/ && \
        chmod +x /usr/local/bin/docker && \
        rm -rf /tmp/docker /tmp/docker.tgz; \
    else \
        echo "Skipping Docker CLI installation - not needed for runtime"; \
    fi

USER root

RUN mkdir -m 777 -p /opt/harness/scripts/ /opt/harness/bin/ /opt/harness/client-tools/

EOF

    cat >> Dockerfile << EOF
COPY --from=${HARNESS_BASE_IMAGE} /opt/harness/bin/harness-serverless-plugin /opt/harness/bin/harness-serverless-plugin
COPY --from=${HARNESS_BASE_IMAGE} /opt/harness/scripts/ /opt/harness/scripts/
EOF

    cat >> Dockerfile << 'EOF'

RUN chmod +x /opt/harness/bin/harness-serverless-plugin /opt/harness/scripts/serverless-plugin.sh
EOF

    if [ -n "$SERVERLESS_VERSION" ]; then
        echo "RUN npm config set fetch-timeout 60000 && npm config set fetch-retry-mintimeout 20000 && npm config set fetch-retry-maxtimeout 120000 && npm install -g serverless@${SERVERLESS_VERSION} && echo \"service: pinned-version\" > serverless.yml && echo \"frameworkVersion: '${SERVERLESS_VERSION}'\" >> serverless.yml && serverless -v && rm serverless.yml" >> Dockerfile
    fi

    cat >> Dockerfile << EOF


RUN wget -O /opt/harness/client-tools/go-template https://app.harness.io/public/shared/tools/go-template/release/v0.4.5/bin/linux/amd64/go-template && \
    chmod +x /opt/harness/client-tools/go-template || \
    (echo "Primary download failed, trying alternative..." && \
    curl -L -o /opt/harness/client-tools/go-template https://github.com/harness/go-template/releases/download/v0.4.5/go-template_linux_amd64 && \
    chmod +x /opt/harness/client-tools/go-template) || \
    (echo "Creating fallback stub for go-template..." && \
    echo '#!/bin/bash' > /opt/harness/client-tools/go-template && \
    echo 'echo "go-template stub - processing: \$@"' >> /opt/harness/client-tools/go-template && \
    echo 'cat' >> /opt/harness/client-tools/go-template && \
    chmod +x /opt/harness/client-tools/go-template)

ENTRYPOINT ["/opt/harness/scripts/serverless-plugin.sh"]

EOF
