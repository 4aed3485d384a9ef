# One image for the classifier and the trainer, in two targets:
#   docker build --target cpu  -t earshot:cpu  .    the default; x86-64 and arm64
#   docker build --target cuda -t earshot:cuda .    needs nothing on the host but NVIDIA's driver and container toolkit
# docs/deployment.md tells how to run it and how large it is; `npm run check-image` runs these steps without Docker.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG DEBIAN_IMAGE=debian:12.15-slim

# What builds; none of it is in the image that ships.
FROM ${NODE_IMAGE} AS tools
# Debian's security fixes are wanted as they come: versions of build tools are not pinned.
# hadolint ignore=DL3008
RUN sed -i 's/^Types: deb$/Types: deb deb-src/' /etc/apt/sources.list.d/debian.sources \
  && apt-get update \
  && apt-get install -y --no-install-recommends dpkg-dev g++ make nasm python3-pip \
  && rm -rf /var/lib/apt/lists/*

FROM tools AS ffmpeg
COPY docker/build-ffmpeg.sh /
RUN apt-get update && /build-ffmpeg.sh /out/ffmpeg

FROM tools AS app
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
# The packages' source maps are 244 MB that nothing reads, and what is built is not built again.
RUN node build.mjs && npm prune --omit=dev && find node_modules -name '*.map' -delete \
  && rm -r node_modules/esbuild node_modules/@esbuild
# What the engine is made of, apart: libtensorflow is fetched anew when this changes, not with every change of the code.
RUN mkdir /engine \
  && cp -r --parents package.json dist/shared node_modules/@tensorflow/tfjs-node-gpu \
    node_modules/node-api-headers node_modules/node-addon-api native /engine

FROM tools AS engine-cpu
WORKDIR /app
COPY --from=app /engine ./
RUN XDG_CACHE_HOME=/var/cache node dist/shared/compute/provide/provide-main.js cpu

FROM tools AS engine-cuda
WORKDIR /app
COPY --from=app /engine ./
RUN XDG_CACHE_HOME=/var/cache node dist/shared/compute/provide/provide-main.js cuda

FROM ${DEBIAN_IMAGE} AS runtime
# The folders that may be written to, for volumes to be mounted on; everything else can be read-only.
RUN groupadd --gid 1000 earshot \
  && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin earshot \
  && install -d -o 1000 -g 1000 /data /datasets /jobs /runs /var/cache/earshot/clips
COPY --from=tools /usr/local/bin/node /usr/local/bin/
COPY --from=ffmpeg /out/ffmpeg /usr/local/bin/
WORKDIR /app
COPY --from=app /app/node_modules ./node_modules
COPY --from=app /app/dist ./dist
# Only to find the kernels that were built from it.
COPY --from=app /app/native ./native
COPY --from=app /app/package.json ./
# Owned by the user: a named volume mounted here starts with this content, and trainers publish into it.
COPY --from=app --chown=1000:1000 /app/models ./models
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 MODELS_DIR=/app/models DATA_DIR=/data/ESC-50 RUNS_DIR=/runs DATASETS_DIR=/datasets JOBS_DIR=/jobs \
  XDG_CACHE_HOME=/var/cache
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
USER 1000:1000
ENTRYPOINT ["node"]
# Smaller spaces for young objects: an idle service takes 30 MB less, as with `npm start`.
CMD ["--max-semi-space-size=2", "dist/services/classifier/main.js"]

FROM runtime AS cuda
COPY --from=engine-cuda /var/cache/earshot/engine /var/cache/earshot/engine
# The container toolkit reads these: every GPU that the container is given, for computing.
ENV ENGINE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# Last, so that it is what `docker build` makes without a target.
FROM runtime AS cpu
COPY --from=engine-cpu /var/cache/earshot/engine /var/cache/earshot/engine
ENV ENGINE=cpu
