import java.io.*;
import java.nio.file.*;
import java.security.*;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.util.*;
import javax.crypto.*;
import javax.crypto.spec.*;
import javax.xml.parsers.*;
import org.w3c.dom.*;

/**
 * XML Encryption with the JDK's DOM parser and ciphers.
 *
 * decrypt P12 PIN FILE...            decrypts each FILE (one EncryptedData, one key), writes FILE.plain
 * encrypt P12 PIN IN OUT CIPHER HASH IVLENGTH   encrypts IN for the certificate; OUT is an EncryptedData
 */
class Encryption {
    static final String XENC = "http://www.w3.org/2001/04/xmlenc#";
    static final String XENC11 = "http://www.w3.org/2009/xmlenc11#";
    static final String MORE = "http://www.w3.org/2001/04/xmldsig-more#";
    static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    static final String OSCI128 = "http://xoev.de/transport/osci12/8";

    public static void main(String[] a) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = new FileInputStream(a[1])) {
            store.load(in, a[2].toCharArray());
        }
        String alias = store.aliases().nextElement();
        if (a[0].equals("decrypt")) {
            PrivateKey key = (PrivateKey) store.getKey(alias, a[2].toCharArray());
            for (String file : Arrays.copyOfRange(a, 3, a.length)) {
                Files.write(Path.of(file + ".plain"), decrypt(key, Path.of(file)));
            }
        } else {
            X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
            byte[] plain = Files.readAllBytes(Path.of(a[3]));
            Files.writeString(Path.of(a[4]), encrypt(certificate, plain, a[5], a[6], Integer.parseInt(a[7])));
        }
    }

    static byte[] decrypt(PrivateKey key, Path file) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Element data = factory.newDocumentBuilder().parse(file.toFile()).getDocumentElement();
        Element wrapped = one(data, XENC, "EncryptedKey");
        String hash = uri(one(wrapped, DS, "DigestMethod")).endsWith("sha512") ? "SHA-512" : "SHA-256";
        String mask = uri(one(wrapped, XENC11, "MGF")).endsWith("sha512") ? "SHA-512" : "SHA-256";
        Cipher rsa = Cipher.getInstance("RSA/ECB/OAEPPadding");
        rsa.init(Cipher.DECRYPT_MODE, key, oaep(hash, mask));
        byte[] content = rsa.doFinal(value(one(wrapped, XENC, "CipherValue")));
        NodeList lengths = data.getElementsByTagNameNS(OSCI128, "IvLength");
        int length = lengths.getLength() == 0 ? 16 : Integer.parseInt(((Element) lengths.item(0)).getAttribute("Value"));
        NodeList values = data.getElementsByTagNameNS(XENC, "CipherValue");
        byte[] sealed = value((Element) values.item(values.getLength() - 1));
        Cipher aes = Cipher.getInstance("AES/GCM/NoPadding");
        aes.init(Cipher.DECRYPT_MODE, new SecretKeySpec(content, "AES"), new GCMParameterSpec(128, sealed, 0, length));
        return aes.doFinal(sealed, length, sealed.length - length);
    }

    static String encrypt(X509Certificate certificate, byte[] plain, String cipher, String hash, int ivLength) throws Exception {
        SecureRandom random = new SecureRandom();
        byte[] key = new byte[Integer.parseInt(cipher.substring(3, 6)) / 8];
        byte[] iv = new byte[ivLength];
        random.nextBytes(key);
        random.nextBytes(iv);
        boolean gcm = cipher.endsWith("gcm");
        Cipher aes = Cipher.getInstance(gcm ? "AES/GCM/NoPadding" : "AES/CBC/ISO10126Padding");
        aes.init(Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "AES"), gcm ? new GCMParameterSpec(128, iv) : new IvParameterSpec(iv));
        byte[] body = aes.doFinal(plain);
        byte[] sealed = Arrays.copyOf(iv, iv.length + body.length);
        System.arraycopy(body, 0, sealed, iv.length, body.length);
        Cipher rsa = Cipher.getInstance("RSA/ECB/OAEPPadding");
        rsa.init(Cipher.ENCRYPT_MODE, certificate.getPublicKey(), oaep(hash, hash));
        String number = hash.substring(4);
        return "<e:EncryptedData xmlns:e='" + XENC + "' xmlns:d='" + DS + "'>\n<e:EncryptionMethod Algorithm='" + (gcm ? XENC11 : XENC) + cipher + "'>"
            + (gcm && ivLength != 16 ? "<IvLength xmlns='" + OSCI128 + "' Value='" + ivLength + "'/>" : "")
            + "</e:EncryptionMethod>\n<d:KeyInfo><e:EncryptedKey><e:EncryptionMethod Algorithm='" + XENC11 + "rsa-oaep'>"
            + "<d:DigestMethod Algorithm='" + (number.equals("384") ? MORE : XENC) + "sha" + number + "'/><MGF xmlns='" + XENC11 + "' Algorithm='" + XENC11 + "mgf1sha" + number + "'/>"
            + "</e:EncryptionMethod><e:CipherData><e:CipherValue>" + Base64.getMimeEncoder().encodeToString(rsa.doFinal(key))
            + "</e:CipherValue></e:CipherData></e:EncryptedKey></d:KeyInfo><e:CipherData><e:CipherValue>"
            + Base64.getEncoder().encodeToString(sealed) + "</e:CipherValue></e:CipherData></e:EncryptedData>";
    }

    static OAEPParameterSpec oaep(String hash, String mask) {
        return new OAEPParameterSpec(hash, "MGF1", new MGF1ParameterSpec(mask), PSource.PSpecified.DEFAULT);
    }

    static Element one(Element parent, String namespace, String local) {
        return (Element) parent.getElementsByTagNameNS(namespace, local).item(0);
    }

    static String uri(Element element) {
        return element.getAttribute("Algorithm");
    }

    static byte[] value(Element element) {
        return Base64.getMimeDecoder().decode(element.getTextContent());
    }
}
