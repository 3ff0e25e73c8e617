import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.cert.*;
import javax.security.auth.x500.X500Principal;

/** Prints the subject of each certificate as RFC 2253 has it, one a line. */
class Names {
    public static void main(String[] files) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String file : files) {
            try (InputStream in = new FileInputStream(file)) {
                X509Certificate certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
                out.println(certificate.getSubjectX500Principal().getName(X500Principal.RFC2253));
            }
        }
    }
}
