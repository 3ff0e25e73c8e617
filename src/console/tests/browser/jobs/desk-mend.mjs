// A clerk finds a message that broke off on its way on the desk, checks a file that is no better, and puts the whole one in its place.
import assert from 'node:assert/strict';

export const visitor = 'clerk';

export async function run({ page, base, facts, shown, leads }) {
  await page.goto(`${base}/console/desk?lang=de`);
  await shown('desk');
  await leads(() => page.locator(`a[href*="${facts.message}"]`).first().click());
  assert.match(await page.locator('h1').innerText(), /Klärungsfall/);
  await shown('waits');

  const upload = async (text, act) => {
    const buffer = Buffer.from(text, 'base64');
    await page.getByLabel('Berichtigte Datei', { exact: true }).setInputFiles({ name: facts.name, mimeType: 'application/zip', buffer });
    await page.getByLabel(act).check();
    await leads(() => page.getByRole('button', { name: 'Hochladen' }).click());
  };
  await upload(facts.cut, 'prüfen, übernehmen und erneut verarbeiten');
  assert.match(await page.locator('[role=alert]').innerText(), /hat noch Fehler/);
  assert.match(await page.locator('main').innerText(), /container\.broken/);
  await shown('still-broken');
  await upload(facts.whole, 'nur prüfen und die Befunde zeigen');
  assert.match(await page.locator('[role=status]').innerText(), /Nichts spricht gegen/);
  await shown('sound');
  await upload(facts.whole, 'prüfen, übernehmen und erneut verarbeiten');
  const main = page.locator('main');
  assert.match(await main.innerText(), /wurde übernommen/);
  for (let tries = 0; tries < 40 && !/liegt im Postfach/.test(await main.innerText()); tries += 1) {
    await page.waitForTimeout(250);
    await page.reload();
  }
  assert.match(await main.innerText(), /liegt im Postfach/);
  await shown('mended');
}
