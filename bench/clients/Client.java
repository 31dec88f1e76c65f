// Sends the requests of one list by one library of Java; README.md says how.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.SequenceInputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URL;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.util.Base64;
import java.util.Collections;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

public class Client {
  static String base, key;

  static final String BOUNDARY = "limit";

  static class Case {
    final String name, method, send;
    String url;
    final byte[] body;

    Case(String line) throws Exception {
      String[] f = line.split("\t", -1);
      name = f[0];
      method = f[1];
      send = f[2];
      url = base + new String(text(f[3]), UTF_8);
      String[] params = f[4].isEmpty() ? new String[0] : new String(text(f[4]), UTF_8).split("\0", -1);
      for (int i = 0; i < params.length; i += 2)
        url += (i == 0 ? "?" : "&") + URLEncoder.encode(params[i], UTF_8) + "=" + URLEncoder.encode(params[i + 1], UTF_8);
      body = text(f[5]);
    }

    // The body as a stream of unknown length.
    InputStream stream() {
      InputStream in = new ByteArrayInputStream(body);
      if (!send.equals("multipart")) return in;
      String head = "--" + BOUNDARY + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"track.bin\"\r\n\r\n";
      return new SequenceInputStream(Collections.enumeration(List.of(new ByteArrayInputStream(head.getBytes(UTF_8)), in,
          new ByteArrayInputStream(("\r\n--" + BOUNDARY + "--\r\n").getBytes(UTF_8)))));
    }
  }

  record Answer(int status, byte[] body) {}

  interface Sender { Answer send(Case c) throws Exception; }

  static byte[] text(String field) { return Base64.getDecoder().decode(field); }

  static final HttpClient client = HttpClient.newHttpClient();

  static Answer byHttpClient(Case c) throws Exception {
    BodyPublisher body = switch (c.send) {
      case "whole" -> BodyPublishers.ofByteArray(c.body);
      case "stream", "multipart" -> BodyPublishers.ofInputStream(c::stream);
      default -> BodyPublishers.noBody();
    };
    HttpRequest.Builder b = HttpRequest.newBuilder(URI.create(c.url)).method(c.method, body)
        .header("Authorization", "FlespiToken " + key);
    if (c.send.equals("multipart")) b.header("Content-Type", "multipart/form-data; boundary=" + BOUNDARY);
    if (c.method.equals("OPTIONS")) b.header("Origin", "https://app.test").header("Access-Control-Request-Method", "PUT");
    HttpResponse<byte[]> r = client.send(b.build(), HttpResponse.BodyHandlers.ofByteArray());
    return new Answer(r.statusCode(), r.body());
  }

  static Answer byURLConnection(Case c) throws Exception {
    HttpURLConnection u = (HttpURLConnection) new URL(c.url).openConnection();
    u.setRequestMethod(c.method);
    u.setRequestProperty("Authorization", "FlespiToken " + key);
    if (c.send.equals("multipart")) u.setRequestProperty("Content-Type", "multipart/form-data; boundary=" + BOUNDARY);
    if (!c.send.equals("none")) {
      u.setDoOutput(true);
      if (!c.send.equals("whole")) u.setChunkedStreamingMode(0);
      c.stream().transferTo(u.getOutputStream());
    }
    int status = u.getResponseCode();
    InputStream in = status < 400 ? u.getInputStream() : u.getErrorStream();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    if (in != null) in.transferTo(out);
    return new Answer(status, out.toByteArray());
  }

  public static void main(String[] args) throws Exception {
    base = args[1];
    key = args[2];
    Sender s = args[0].equals("HttpClient") ? Client::byHttpClient : Client::byURLConnection;
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      Case c = new Case(line);
      Answer a;
      try {
        a = s.send(c);
      } catch (Exception e) { // what a library refuses is an outcome, too
        a = new Answer(0, e.toString().getBytes(UTF_8));
      }
      System.out.println(c.name + "\t" + a.status + "\t" + Base64.getEncoder().encodeToString(a.body));
    }
    System.exit(0);
  }
}
