// An administrator adds a user with a role. The user sets a password, signs in again, and sees what the role does not allow.
import assert from 'node:assert/strict';

export const visitor = 'admin';

const PASSWORD = 'sieben Ampeln am Deich';

export async function run({ page, base, shown, as, leads }) {
  await page.goto(`${base}/console/users?lang=de`);
  await shown('list');
  await leads(() => page.locator('a.button', { hasText: 'Benutzer anlegen' }).click());
  await shown('new');
  await page.fill('#name', 'Max Muster');
  await page.fill('#login', 'max');
  await page.check('#role-cashier');
  await page.check('#unit-all');
  await leads(() => page.locator('button', { hasText: 'Anlegen' }).click());
  await shown('invited');
  const secret = await page.locator('#secret').innerText();
  assert.match(secret, /^ami_/);
  await leads(() => page.locator('a.button', { hasText: 'Zum Benutzer' }).click());
  await shown('user');

  const max = await as('somebody');
  await max.page.goto(`${base}/console/account?lang=de`);
  await max.shown('sign-in');
  await max.leads(() => max.page.locator('a', { hasText: 'Zum ersten Mal hier' }).click());
  await max.shown('welcome');
  await max.page.fill('#secret', secret);
  await max.leads(() => max.page.locator('button', { hasText: 'Weiter' }).click());
  await max.page.fill('#new', 'max mag Muster');
  await max.page.fill('#again', 'max mag Muster');
  await max.leads(() => max.page.locator('button', { hasText: 'Speichern' }).click());
  await max.shown('personal');
  await max.page.fill('#new', PASSWORD);
  await max.page.fill('#again', PASSWORD);
  await max.leads(() => max.page.locator('button', { hasText: 'Speichern' }).click());
  await max.leads(() => max.page.locator('header button', { hasText: 'Abmelden' }).click());
  await max.page.fill('#login', 'MAX');
  await max.page.fill('#password', 'falsch');
  await max.leads(() => max.page.locator('button', { hasText: 'Anmelden' }).click());
  await max.shown('refused');
  await max.page.fill('#login', 'MAX');
  await max.page.fill('#password', PASSWORD);
  await max.leads(() => max.page.locator('button', { hasText: 'Anmelden' }).click());
  await max.page.goto(`${base}/console/account?lang=de`);
  await max.shown('account');
  await max.page.goto(`${base}/console/account/codes?lang=de`);
  await max.shown('codes');
  assert.equal(await max.page.locator('nav.places a', { hasText: 'Benutzer' }).count(), 0);
  const answer = await max.page.goto(`${base}/console/users?lang=de`);
  assert.equal(answer.status(), 403);
  await max.shown('forbidden');

  await page.goto(`${base}/console/users?q=max&lang=de`);
  await leads(() => page.locator('main a', { hasText: 'Max Muster' }).click());
  await leads(() => page.locator('button', { hasText: 'Sperren' }).click());
  assert.match(await page.locator('main').innerText(), /gesperrt/);
  await max.page.goto(`${base}/console/account?lang=de`);
  assert.match(max.page.url(), /sign-in/);
}
