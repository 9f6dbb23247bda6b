import {
  FetchUrlReader,
  GiteaUrlReader,
  GithubUrlReader,
  GitlabUrlReader,
  UrlReaders,
} from '@backstage/backend-defaults/urlReader';
import { coreServices, createServiceFactory } from '@backstage/backend-plugin-api';

/** Reads from Git hosts and from addresses allowed in `backend.reading`; cloud storage is not part of this portal. */
export const urlReader = createServiceFactory({
  service: coreServices.urlReader,
  deps: { config: coreServices.rootConfig, logger: coreServices.logger },
  factory: ({ config, logger }) =>
    UrlReaders.create({
      config,
      logger,
      factories: [GithubUrlReader.factory, GitlabUrlReader.factory, GiteaUrlReader.factory, FetchUrlReader.factory],
    }),
});
