cat > Dockerfile << EOF
FROM ${SAM_BASE_IMAGE}
ENV HARNESS_GO_PLUGIN_VERSION=v0.4.5
ENV DOCKER_VERSION=26.0.1
ENV INSTALL_GO_TEMPLATE_BINARY=true
ENV UNIFIED_PIPELINE=false

# Install Docker CLI
# RUN apt-get update && \\
#     apt-get install -y docker.io && \\
#     rm -rf /var/lib/apt/lists/*

RUN if command -v apt-get >/dev/null 2>&1; then \
      apt-get update && apt-get install -y docker.io && rm -rf /var/lib/apt/lists/*; \
    elif command -v yum >/dev/null 2>&1; then \
      yum install -y yum-utils && \
      echo "[docker-ce]" > /etc/yum.repos.d/docker-ce.repo && \
      echo "name=Docker CE Repository" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "baseurl=https://download.docker.com/linux/centos/7/x86_64/stable" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "enabled=1" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "gpgcheck=1" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "gpgkey=https://download.docker.com/linux/centos/gpg" >> /etc/yum.repos.d/docker-ce.repo && \
      yum install -y docker-ce-cli; \
    elif command -v microdnf >/dev/null 2>&1; then \
      echo "[docker-ce]" > /etc/yum.repos.d/docker-ce.repo && \
      echo "name=Docker CE Repository" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "baseurl=https://download.docker.com/linux/centos/7/x86_64/stable" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "enabled=1" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "gpgcheck=1" >> /etc/yum.repos.d/docker-ce.repo && \
      echo "gpgkey=https://download.docker.com/linux/centos/gpg" >> /etc/yum.repos.d/docker-ce.repo && \
      microdnf install -y docker-ce-cli; \
    elif command -v apk >/dev/null 2>&1; then \
      apk add --no-cache docker-cli; \
    else \
      echo "Package manager not found, skipping docker CLI install"; \
    fi

RUN mkdir -m 777 -p /opt/harness/bin/ && \\
    mkdir -m 777 -p /opt/harness/scripts/ && \\
    mkdir -m 777 -p /opt/harness/client-tools/

COPY --from=${HARNESS_BASE_IMAGE} /opt/harness/bin/harness-sam-plugin /opt/harness/bin/harness-sam-plugin
COPY --from=${HARNESS_BASE_IMAGE} /opt/harness/scripts/ /opt/harness/scripts/

RUN chmod +x /opt/harness/bin/harness-sam-plugin && \\
    chmod +x /opt/harness/scripts/sam-plugin.sh

RUN if [ "\$INSTALL_GO_TEMPLATE_BINARY" = "true" ] && [ "\$UNIFIED_PIPELINE" != "true" ]; then \\
    curl -s -L -o /opt/harness/client-tools/go-template https://app.harness.io/public/shared/tools/go-template/release/\${HARNESS_GO_PLUGIN_VERSION}/bin/linux/amd64/go-template && \\
    chmod +x /opt/harness/client-tools/go-template; \\
  else \\
    echo "Skipping go-template binary."; \\
  fi

ENTRYPOINT ["/opt/harness/scripts/sam-plugin.sh"]
EOF
