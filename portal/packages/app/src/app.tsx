import { createApp } from '@backstage/frontend-defaults';
import catalogPlugin from '@backstage/plugin-catalog/alpha';
import scaffolderPlugin from '@backstage/plugin-scaffolder/alpha';
import userSettingsPlugin from '@backstage/plugin-user-settings/alpha';
import { navigation } from './navigation';
import { signIn } from './signIn';
import { texts } from './texts';

// Titles are no translatable texts of Backstage's: they are said again where the pages are taken in.
const catalog = catalogPlugin.withOverrides({
  title: 'Catálogo',
  extensions: [catalogPlugin.getExtension('page:catalog').override({ params: { path: '/', title: 'Catálogo' } })],
});

const templates = scaffolderPlugin.withOverrides({
  title: 'Criar',
  extensions: [
    scaffolderPlugin.getExtension('page:scaffolder').override({ params: { title: 'Criar' } }),
    scaffolderPlugin.getExtension('sub-page:scaffolder/tasks').override({ params: { title: 'Execuções' } }),
    scaffolderPlugin.getExtension('sub-page:scaffolder/actions').override({ params: { title: 'Ações' } }),
    scaffolderPlugin.getExtension('sub-page:scaffolder/editor').override({ params: { title: 'Editor' } }),
    scaffolderPlugin
      .getExtension('sub-page:scaffolder/templating-extensions')
      .override({ params: { title: 'Extensões' } }),
  ],
});

const settings = userSettingsPlugin.withOverrides({
  title: 'Configurações',
  extensions: [
    userSettingsPlugin.getExtension('page:user-settings').override({ params: { title: 'Configurações' } }),
    userSettingsPlugin.getExtension('sub-page:user-settings/general').override({ params: { title: 'Geral' } }),
    userSettingsPlugin.getExtension('sub-page:user-settings/auth-providers').override({ params: { title: 'Provedores' } }),
    userSettingsPlugin.getExtension('sub-page:user-settings/feature-flags').override({ params: { title: 'Em teste' } }),
  ],
});

export const app = createApp({
  features: [catalog, templates, settings, navigation, signIn, texts],
});
