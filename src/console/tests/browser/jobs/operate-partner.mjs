// An administrator adds a partner and tests its connection.
import assert from 'node:assert/strict';

export const visitor = 'all';
export const scripts = true;

export async function run({ page, base, shown, leads }) {
  await page.goto(`${base}/console/partners?lang=de`);
  await shown('list');
  await leads(() => page.locator('a.button', { hasText: 'Partner anlegen' }).click());
  await page.fill('#partner-id', 'unna');
  await page.fill('#partner-name', 'Bauaufsicht Unna');
  await page.fill('#partner-authority', 'kein Schlüssel');
  await leads(() => page.locator('button', { hasText: 'Speichern' }).click());
  assert.equal(await page.locator('#partner-authority').getAttribute('aria-invalid'), 'true');
  await shown('wrong');
  await page.fill('#partner-authority', 'bab:05978000');
  await leads(() => page.locator('button', { hasText: 'Speichern' }).click());
  assert.match(await page.locator('[role=status]').innerText(), /gespeichert/);
  await shown('partner');
  await leads(() => page.locator('button', { hasText: 'Verbindung prüfen' }).click());
  await page.locator('main :is([role=status], [role=alert])').first().waitFor();
  await shown('tested');
}
