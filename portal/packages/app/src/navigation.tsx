import {
  Link,
  Sidebar,
  SidebarDivider,
  SidebarGroup,
  SidebarItem,
  SidebarScrollWrapper,
  SidebarSpace,
  sidebarConfig,
  useSidebarOpenState,
} from '@backstage/core-components';
import { configApiRef, createFrontendModule, useApi } from '@backstage/frontend-plugin-api';
import { NavContentBlueprint } from '@backstage/plugin-app-react';
import { UserSettingsSignInAvatar } from '@backstage/plugin-user-settings';
import { makeStyles } from '@material-ui/core/styles';
import MenuIcon from '@material-ui/icons/Menu';

const useStyles = makeStyles({
  title: {
    display: 'block',
    height: sidebarConfig.logoHeight * 2,
    lineHeight: `${sidebarConfig.logoHeight * 2}px`,
    paddingLeft: sidebarConfig.iconPadding,
    color: '#fff',
    fontSize: '1.25rem',
    fontWeight: 700,
    whiteSpace: 'nowrap',
  },
});

const Title = () => {
  const title = useApi(configApiRef).getOptionalString('app.title') ?? 'AppGear Studio';
  const { isOpen } = useSidebarOpenState();
  const classes = useStyles();
  return (
    <Link to="/" underline="none" className={classes.title} aria-label={title}>
      {isOpen ? title : 'AG'}
    </Link>
  );
};

const content = NavContentBlueprint.make({
  params: {
    component: ({ navItems }) => {
      const items = navItems.withComponent(item => (
        <SidebarItem icon={() => <>{item.icon}</>} to={item.href} text={item.title} />
      ));
      return (
        <Sidebar>
          <Title />
          <SidebarDivider />
          <SidebarGroup label="Menu" icon={<MenuIcon />}>
            {items.take('page:catalog')}
            {items.take('page:scaffolder')}
            <SidebarDivider />
            <SidebarScrollWrapper>{items.rest({ sortBy: 'title' })}</SidebarScrollWrapper>
          </SidebarGroup>
          <SidebarSpace />
          <SidebarDivider />
          <SidebarGroup label="Configurações" icon={<UserSettingsSignInAvatar />} to="/settings">
            {items.take('page:user-settings')}
          </SidebarGroup>
        </Sidebar>
      );
    },
  },
});

export const navigation = createFrontendModule({ pluginId: 'app', extensions: [content] });
