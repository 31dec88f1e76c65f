# Sends the requests of one list by Ruby's net/http; README.md says how.
require 'base64'
require 'net/http'
require 'stringio'
require 'uri'

_, base, key = ARGV
to = URI(base)
http = Net::HTTP.new(to.host, to.port)

def text(field) = Base64.strict_decode64(field)

def build(line, key)
  name, method, how, target, params, body = line.chomp.split("\t", -1)
  target = text(target).force_encoding('UTF-8')
  pairs = text(params).force_encoding('UTF-8').split("\0", -1).each_slice(2).to_a
  target += '?' + URI.encode_www_form(pairs) unless pairs.empty?
  body = text(body)
  r = Net::HTTP.const_get(method.capitalize).new(target, 'Authorization' => "FlespiToken #{key}")
  if method == 'OPTIONS'
    r['Origin'] = 'https://app.test'
    r['Access-Control-Request-Method'] = 'PUT'
  end
  case how
  when 'whole' then r.body = body
  when 'stream'
    r['Transfer-Encoding'] = 'chunked'
    r.body_stream = StringIO.new(body)
  when 'multipart'
    r['Transfer-Encoding'] = 'chunked'
    r.set_form([['file', StringIO.new(body), { filename: 'track.bin' }]], 'multipart/form-data')
  end
  [name, r]
end

$stdin.each_line do |line|
  name, status, answer = line[/\A[^\t]+/], 0, ''
  begin
    _, request = build(line, key)
    http.start unless http.started?
    got = http.request(request)
    status, answer = got.code, got.body || ''
  rescue StandardError => e # what the library refuses is an outcome, too
    answer = e.inspect
  end
  puts [name, status, Base64.strict_encode64(answer)].join("\t")
  $stdout.flush
end
