# Builds three images: one that serves, one on top of it that also trains, and one for both on a GPU.
#   docker build --target cpu     -t earshot:cpu     .    the default; x86-64 and arm64
#   docker build --target trainer -t earshot:trainer .
#   docker build --target cuda    -t earshot:cuda    .    needs NVIDIA's driver and container toolkit
# docs/deployment.md says how to run them and how large they are; `npm run check-image` runs these steps
# without Docker.
ARG NODE_IMAGE=node:24.21.0-bookworm-slim
ARG DEBIAN_IMAGE=debian:12.15-slim
# Source of the pretrained encoder: auto (its public release), a URL, off, or a file of your own:
#   --build-context encoder-file=FOLDER --build-arg ENCODER=/encoder-file/mn04_as_mAP_432.pt
ARG ENCODER=auto

# Build tools; they are not part of the final images.
FROM ${NODE_IMAGE} AS tools
# Versions of build tools are not pinned, so that Debian's security fixes are installed.
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
RUN npm ci --omit=dev
COPY . .
# The program that provides engines is bundled into one file, in a folder of its own: libtensorflow is
# fetched again only when this file changes, not with every change of the code.
RUN node build.mjs \
  && node_modules/.bin/esbuild dist/shared/compute/provide/provide-main.js --bundle --platform=node \
    --outfile=/engine/dist/shared/compute/provide/provide-main.js \
  && cp -r --parents package.json native node_modules/node-api-headers node_modules/node-addon-api \
    node_modules/@tensorflow/tfjs-node-gpu /engine
# Separates the packages that only training loads, and writes a list of packages in CycloneDX format for
# each image. Source maps are removed, because nothing reads them.
RUN npm pkg delete devDependencies dependencies.esbuild && npm prune \
  && find node_modules -name '*.map' -delete \
  && install -d /training && cp -r node_modules /training/ \
  && npm sbom --sbom-format=cyclonedx --sbom-type=application > /training/sbom.json \
  && npm prune --omit=optional \
  && npm sbom --omit=optional --sbom-format=cyclonedx --sbom-type=application > sbom.json \
  && find node_modules ! -type d -printf '/training/%p\0' > /tmp/shared && xargs -0 -a /tmp/shared rm \
  && find /training -type d -empty -delete

FROM tools AS provider
WORKDIR /app
COPY --from=app /engine ./
ENV XDG_CACHE_HOME=/var/cache

FROM provider AS kernels
RUN node dist/shared/compute/provide/provide-main.js kernels

FROM kernels AS engine-cpu
RUN node dist/shared/compute/provide/provide-main.js cpu

# With the kernels: they compute front ends and resample, whatever computes the networks.
FROM kernels AS engine-cuda
RUN node dist/shared/compute/provide/provide-main.js cuda

# Empty, unless a build context of this name replaces it.
FROM scratch AS encoder-file

FROM provider AS encoder
ARG ENCODER
RUN --mount=type=bind,from=encoder-file,target=/encoder-file install -d /var/cache/earshot/encoder \
  && node dist/shared/compute/provide/provide-main.js encoder

FROM ${DEBIAN_IMAGE} AS runtime
# Folders that must be writable, as mount points for volumes; everything else can be read-only.
RUN groupadd --gid 1000 earshot \
  && useradd --uid 1000 --gid 1000 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin earshot \
  && install -d -o 1000 -g 1000 /data /datasets /events /jobs /runs /var/cache/earshot/clips
COPY --from=tools /usr/local/bin/node /usr/local/bin/
COPY --from=ffmpeg /out/ffmpeg /usr/local/bin/
WORKDIR /app
COPY --from=app /app/node_modules ./node_modules
COPY --from=app /app/dist ./dist
# The sources identify the kernels that were built from them; they are not compiled again.
COPY --from=app /app/native ./native
COPY --from=app /app/package.json /app/sbom.json ./
COPY --from=encoder /var/cache/earshot/encoder /var/cache/earshot/encoder
# Owned by the user, because a named volume mounted here begins with this content and trainers publish
# into it.
COPY --from=app --chown=1000:1000 /app/models ./models
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 MODELS_DIR=/app/models DATA_DIR=/data/ESC-50 RUNS_DIR=/runs DATASETS_DIR=/datasets JOBS_DIR=/jobs EVENTS_DIR=/events \
  XDG_CACHE_HOME=/var/cache
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/readyz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
USER 1000:1000
ENTRYPOINT ["node"]
# A smaller young generation: an idle service takes 30 MB less. `npm start` sets the same.
CMD ["--max-semi-space-size=2", "dist/services/classifier/main.js"]

FROM runtime AS serving
COPY --from=kernels /var/cache/earshot/engine /var/cache/earshot/engine
ENV ENGINE=cpu

FROM serving AS trainer
COPY --from=app /training ./
COPY --from=engine-cpu /var/cache/earshot/engine /var/cache/earshot/engine

FROM runtime AS cuda
COPY --from=app /training ./
COPY --from=engine-cuda /var/cache/earshot/engine /var/cache/earshot/engine
# Settings for the container toolkit: use all GPUs of the container, for computing.
ENV ENGINE=cuda NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# The last stage is what `docker build` builds without a target.
FROM serving AS cpu
