// XML signatures by the JDK's own implementation (javax.xml.crypto.dsig), as a judge of ours.
//
//   java Judge.java verify FILE...            each FILE with its key (DER, X.509) in FILE.pub; prints FILE OK or BAD
//   java Judge.java sign METHOD IN OUT KEY... signs IN into OUT with KEY (DER, PKCS #8); prints OUT OK or NO

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.List;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.ExcC14NParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

class Judge {
    static final String INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    static final String EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
    static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("verify")) {
            for (int i = 1; i < arguments.length; i++) verify(arguments[i]);
            return;
        }
        for (int i = 1; i < arguments.length; i += 4) {
            sign(arguments[i], arguments[i + 1], arguments[i + 2], arguments[i + 3]);
        }
    }

    static void verify(String file) throws Exception {
        Document document = read(file);
        Node node = document.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature").item(0);
        PublicKey key = publicKey(Files.readAllBytes(Path.of(file + ".pub")));
        DOMValidateContext context = new DOMValidateContext(key, node);
        // Otherwise it forbids more than thirty references and what is old.
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.FALSE);
        String verdict;
        try {
            boolean isValid = FACTORY.unmarshalXMLSignature(context).validate(context);
            verdict = isValid ? "OK" : "BAD";
        } catch (Exception error) {
            verdict = "BAD " + error;
        }
        System.out.println(new File(file).getName() + " " + verdict.replace('\n', ' '));
    }

    static void sign(String method, String in, String out, String keyFile) throws Exception {
        Document document = read(in);
        try {
            PrivateKey key = privateKey(Files.readAllBytes(Path.of(keyFile)));
            SignedInfo info = FACTORY.newSignedInfo(
                FACTORY.newCanonicalizationMethod(INCLUSIVE, (C14NMethodParameterSpec) null),
                FACTORY.newSignatureMethod(method, null),
                List.of(
                    reference("#one"),
                    reference("#one", transform(INCLUSIVE, null)),
                    reference("#one", transform(EXCLUSIVE, null)),
                    reference("#one", transform(EXCLUSIVE, new ExcC14NParameterSpec(List.of("a", "#default")))),
                    reference("#two", transform(Transform.BASE64, null)),
                    reference("", transform(Transform.ENVELOPED, null)),
                    reference("", transform(Transform.ENVELOPED, null), transform(EXCLUSIVE, null))));
            DOMSignContext context = new DOMSignContext(key, document.getDocumentElement());
            context.setDefaultNamespacePrefix("ds");
            FACTORY.newXMLSignature(info, null).sign(context);
        } catch (Exception error) {
            System.out.println(new File(out).getName() + " NO " + error.toString().replace('\n', ' '));
            return;
        }
        TransformerFactory.newInstance().newTransformer()
            .transform(new DOMSource(document), new StreamResult(new File(out)));
        System.out.println(new File(out).getName() + " OK");
    }

    static Reference reference(String uri, Transform... transforms) throws Exception {
        DigestMethod digest = FACTORY.newDigestMethod(DigestMethod.SHA256, null);
        return FACTORY.newReference(uri, digest, List.of(transforms), null, null);
    }

    static Transform transform(String uri, TransformParameterSpec parameters) throws Exception {
        return FACTORY.newTransform(uri, parameters);
    }

    static Document read(String file) throws Exception {
        DocumentBuilderFactory builders = DocumentBuilderFactory.newInstance();
        builders.setNamespaceAware(true);
        Document document = builders.newDocumentBuilder().parse(new File(file));
        markIds(document.getDocumentElement());
        return document;
    }

    static void markIds(Element element) {
        for (String name : new String[] {"Id", "ID"}) {
            if (element.hasAttributeNS(null, name)) element.setIdAttributeNS(null, name, true);
        }
        for (Node child = element.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child instanceof Element) markIds((Element) child);
        }
    }

    static PublicKey publicKey(byte[] der) throws Exception {
        try {
            return KeyFactory.getInstance("RSA").generatePublic(new X509EncodedKeySpec(der));
        } catch (java.security.spec.InvalidKeySpecException error) {
            return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(der));
        }
    }

    static PrivateKey privateKey(byte[] der) throws Exception {
        try {
            return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(der));
        } catch (java.security.spec.InvalidKeySpecException error) {
            return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(der));
        }
    }
}
