# What no build of an image with the Serverless Framework can leave out: the node
# image, npm in it with the same lock and flags, and the layer of what it installed.
ARG NODE_IMAGE
FROM ${NODE_IMAGE} AS npm
ARG npm_config_registry
WORKDIR /install
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --omit=dev

FROM scratch
COPY --from=npm --exclude=**/*.d.ts --exclude=**/*.d.mts --exclude=**/*.d.cts --exclude=**/*.map --exclude=**/CHANGELOG.md \
  /install/node_modules /opt/harness/serverless/node_modules
