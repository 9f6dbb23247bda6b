import { createApp } from '@backstage/frontend-defaults';
import catalogPlugin from '@backstage/plugin-catalog/alpha';
import scaffolderPlugin from '@backstage/plugin-scaffolder/alpha';
import userSettingsPlugin from '@backstage/plugin-user-settings/alpha';
import { navigation } from './navigation';
import { signIn } from './signIn';

const catalog = catalogPlugin.withOverrides({
  extensions: [catalogPlugin.getExtension('page:catalog').override({ params: { path: '/' } })],
});

export const app = createApp({
  features: [catalog, scaffolderPlugin, userSettingsPlugin, navigation, signIn],
});
