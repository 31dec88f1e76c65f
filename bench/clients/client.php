<?php
// Sends the requests of one list by PHP's curl, or by its streams; README.md says how.

[, $library, $base, $key] = $argv;
$handle = $library === 'curl' ? curl_init() : null;

function byCurl($c, $url, $headers) {
    global $handle;
    curl_reset($handle);
    curl_setopt_array($handle, [CURLOPT_URL => $url, CURLOPT_CUSTOMREQUEST => $c['method'], CURLOPT_RETURNTRANSFER => true]);
    if ($c['method'] === 'HEAD') curl_setopt($handle, CURLOPT_NOBODY, true);
    if ($c['send'] === 'whole') curl_setopt($handle, CURLOPT_POSTFIELDS, $c['body']);
    if ($c['send'] === 'stream') {
        $rest = $c['body'];
        $headers[] = 'Transfer-Encoding: chunked';
        curl_setopt($handle, CURLOPT_UPLOAD, true);
        curl_setopt($handle, CURLOPT_READFUNCTION, function ($_, $__, $most) use (&$rest) {
            $piece = substr($rest, 0, $most);
            $rest = substr($rest, strlen($piece));
            return $piece;
        });
    }
    if ($c['send'] === 'multipart')
        curl_setopt($handle, CURLOPT_POSTFIELDS, ['file' => new CURLStringFile($c['body'], 'track.bin')]);
    curl_setopt($handle, CURLOPT_HTTPHEADER, $headers);
    $answer = curl_exec($handle);
    if ($answer === false) return [0, curl_error($handle)];
    return [curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $answer];
}

function byStreams($c, $url, $headers) {
    $options = ['method' => $c['method'], 'ignore_errors' => true];
    if ($c['send'] === 'multipart') {
        $headers[] = 'Content-Type: multipart/form-data; boundary=limit';
        $c['body'] = "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"track.bin\"\r\n\r\n{$c['body']}\r\n--limit--\r\n";
    }
    if ($c['send'] !== 'none') $options['content'] = $c['body'];
    $options['header'] = $headers;
    $answer = @file_get_contents($url, false, stream_context_create(['http' => $options]));
    if ($answer === false) return [0, error_get_last()['message']];
    return [(int) explode(' ', $http_response_header[0])[1], $answer];
}

while (($line = fgets(STDIN)) !== false) {
    [$name, $method, $send, $target, $params, $body] = explode("\t", rtrim($line, "\n"));
    $url = $base . base64_decode($target);
    $flat = $params === '' ? [] : explode("\0", base64_decode($params));
    $pairs = [];
    for ($i = 0; $i < count($flat); $i += 2) $pairs[$flat[$i]] = $flat[$i + 1];
    if ($pairs) $url .= '?' . http_build_query($pairs);
    $headers = ["Authorization: FlespiToken $key"];
    if ($method === 'OPTIONS') array_push($headers, 'Origin: https://app.test', 'Access-Control-Request-Method: PUT');
    $c = ['method' => $method, 'send' => $send, 'body' => base64_decode($body)];
    [$status, $answer] = $library === 'curl' ? byCurl($c, $url, $headers) : byStreams($c, $url, $headers);
    echo $name, "\t", $status, "\t", base64_encode($answer), "\n";
}
